using System.Security.Cryptography;

namespace SecureChat.Signal.Spqr;

/// <summary>The secret of an epoch, on its way from the KEM to the chains.</summary>
internal sealed record EpochSecret(ulong Epoch, byte[] Secret)
{
    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(EpochSecret);
}

/// <summary>What sending changes, and what is to be sent.</summary>
internal sealed record BraidSent(BraidState Next, SpqrMessageType Type, Chunk? Chunk = null, EpochSecret? Secret = null)
{
    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(BraidSent);
}

/// <summary>What receiving changes.</summary>
internal sealed record BraidReceived(BraidState Next, EpochSecret? Secret = null)
{
    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(BraidReceived);
}

/// <summary>
/// Where one side stands in the ML-KEM Braid: the key agreement that runs a few bytes at a time inside the messages. Eleven
/// states, all immutable; the two sides change roles with each epoch. docs/protocol/spqr.md#states.
/// </summary>
/// <param name="epoch">The epoch being agreed on, counted from 1.</param>
/// <param name="authenticator">Of this epoch.</param>
internal abstract class BraidState(ulong epoch, SpqrAuthenticator authenticator)
{
    /// <summary>A first part of a public key in transit, and its MAC.</summary>
    protected const int HeaderMessageSize = IncrementalMlKem.HeaderSize + SpqrAuthenticator.MacSize;

    /// <summary>A second part of a ciphertext in transit, and the MAC over both parts.</summary>
    protected const int Ciphertext2MessageSize = IncrementalMlKem.Ciphertext2Size + SpqrAuthenticator.MacSize;

    /// <summary>The epoch being agreed on, counted from 1.</summary>
    public ulong Epoch => epoch;

    /// <summary>Whether this side already knows the secret of <see cref="Epoch"/>.</summary>
    public virtual bool HasSecret => false;

    /// <summary>The number under which the state is stored.</summary>
    public abstract byte Tag { get; }

    /// <summary>Of this epoch.</summary>
    protected SpqrAuthenticator Authenticator => authenticator;

    /// <summary>What the state holds of the key agreement that nobody else may know.</summary>
    protected virtual byte[] Secret => [];

    /// <summary>Chooses what the next message carries.</summary>
    public abstract BraidSent Send(RandomSource random);

    /// <summary>Takes in what a message carried. What belongs to an earlier epoch is late, and changes nothing.</summary>
    /// <exception cref="SignalException">The message cannot come from a peer in the same session.</exception>
    public BraidReceived Receive(SpqrMessage message) =>
        message.Epoch < Epoch ? new BraidReceived(this)
        : message.Epoch == Epoch ? ReceiveCurrent(message)
        : ReceiveLater(message);

    /// <summary>Erases the secrets. The states before and after this one may share them.</summary>
    public void Erase()
    {
        authenticator.Erase();
        CryptographicOperations.ZeroMemory(Secret);
    }

    public void Write(SpqrWriter writer)
    {
        writer.Byte(Tag);
        writer.UInt64(epoch);
        authenticator.Write(writer);
        WriteBody(writer);
    }

    public static BraidState? Read(ref SpqrReader reader)
    {
        var tag = reader.Byte();
        var epoch = reader.Epoch();
        reader.Require(epoch >= 1);
        var authenticator = SpqrAuthenticator.Read(ref reader);
        return tag switch
        {
            KeysUnsampled.StateTag => new KeysUnsampled(epoch, authenticator),
            KeysSampled.StateTag => KeysSampled.Read(ref reader, epoch, authenticator),
            HeaderSent.StateTag => HeaderSent.Read(ref reader, epoch, authenticator),
            Ciphertext1Received.StateTag => Ciphertext1Received.Read(ref reader, epoch, authenticator),
            VectorSentCiphertext1Received.StateTag =>
                VectorSentCiphertext1Received.Read(ref reader, epoch, authenticator),
            NoHeaderReceived.StateTag => NoHeaderReceived.Read(ref reader, epoch, authenticator),
            HeaderReceived.StateTag => HeaderReceived.Read(ref reader, epoch, authenticator),
            Ciphertext1Sampled.StateTag => Ciphertext1Sampled.Read(ref reader, epoch, authenticator),
            VectorReceivedCiphertext1Sampled.StateTag =>
                VectorReceivedCiphertext1Sampled.Read(ref reader, epoch, authenticator),
            Ciphertext1Acknowledged.StateTag => Ciphertext1Acknowledged.Read(ref reader, epoch, authenticator),
            Ciphertext2Sampled.StateTag => Ciphertext2Sampled.Read(ref reader, epoch, authenticator),
            _ => null,
        };
    }

    /// <summary>A message of this epoch. One that the state does not wait for changes nothing.</summary>
    protected abstract BraidReceived ReceiveCurrent(SpqrMessage message);

    /// <summary>A message of a later epoch: impossible, unless the state says otherwise.</summary>
    protected virtual BraidReceived ReceiveLater(SpqrMessage message) => throw SpqrRefusal.UnknownEpoch();

    protected virtual void WriteBody(SpqrWriter writer)
    {
    }
}
