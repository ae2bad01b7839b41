using System.Diagnostics;
using SecureChat.Signal.Ratchet;

namespace SecureChat.Signal.Spqr;

/// <summary>Which side of the session this is; fixed for its lifetime.</summary>
internal enum SpqrRole : byte
{
    /// <summary>Sent the session's first message.</summary>
    Initiator = 1,

    /// <summary>Received it.</summary>
    Responder = 2,
}

/// <summary>The state after sending, what goes into the message, and the key that it adds to the message's own.</summary>
internal sealed record SpqrSent(SpqrState Next, byte[] Message, byte[] Key)
{
    /// <summary>Never the key.</summary>
    public override string ToString() => nameof(SpqrSent);
}

/// <summary>The state after receiving, and the key that belongs to the message.</summary>
internal sealed record SpqrReceived(SpqrState Next, byte[] Key)
{
    /// <summary>Never the key.</summary>
    public override string ToString() => nameof(SpqrReceived);
}

/// <summary>
/// The sparse post-quantum ratchet: gives each message of a session a 32-byte key that also depends on ML-KEM-768 secrets,
/// renewed from epoch to epoch by data that travels in pieces inside the messages. docs/protocol/spqr.md.
/// </summary>
/// <remarks>
/// Immutable: <see cref="Send"/> and <see cref="Receive"/> give a new state, and one that is thrown away has changed
/// nothing. That matters because a message is received here before its MAC can be checked. A new state shares with the old
/// one what did not change: whoever disposes one of them gives up both.
/// </remarks>
internal sealed class SpqrState : IDisposable
{
    private const byte StoredVersion = 1;

    private readonly SpqrRole _role;
    private readonly bool _negotiating;
    private readonly SpqrChains _chains;
    private readonly BraidState _braid;

    private SpqrState(SpqrRole role, bool negotiating, SpqrChains chains, BraidState braid) =>
        (_role, _negotiating, _chains, _braid) = (role, negotiating, chains, braid);

    /// <summary>The state of the braid, for those who watch its progress.</summary>
    internal BraidState Braid => _braid;

    /// <summary>The ratchet of a new session.</summary>
    /// <param name="authKey">32 bytes that the handshake derived for it.</param>
    /// <param name="role">Which side this is.</param>
    public static SpqrState Initialize(ReadOnlySpan<byte> authKey, SpqrRole role)
    {
        Debug.Assert(authKey.Length == SpqrKdf.KeySize);
        var authenticator = SpqrAuthenticator.Initial(authKey);
        BraidState braid = role == SpqrRole.Initiator
            ? new KeysUnsampled(1, authenticator)
            : NoHeaderReceived.Initial(authenticator);
        return new SpqrState(role, negotiating: true, SpqrChains.Initial(authKey, role), braid);
    }

    /// <summary>Makes the ratchet's part of the next message.</summary>
    public SpqrSent Send(RandomSource random)
    {
        var sent = _braid.Send(random);
        var chains = sent.Secret is null ? _chains : _chains.Add(sent.Secret);

        // The message names the epoch of before the step, and its key comes from the epoch before that one: the last that
        // the peer is certain to know when it reads the message.
        var (index, key, next) = chains.Send(_braid.Epoch - 1);
        var message = new SpqrMessage(_braid.Epoch, index, sent.Type, sent.Chunk);
        return new SpqrSent(new SpqrState(_role, _negotiating, next, sent.Next), message.Serialize(), key);
    }

    /// <summary>Takes in the ratchet's part of a message.</summary>
    /// <param name="message">The content of <c>pq_ratchet</c>; not authenticated yet.</param>
    /// <exception cref="SignalException">Missing, malformed, used before, or not of this session.</exception>
    public SpqrReceived Receive(ReadOnlySpan<byte> message, StepBudget? budget = null)
    {
        if (!SpqrMessage.TryParsePreamble(message, out var version, out _, out var index)
            || version < SpqrMessage.Version)
        {
            throw SpqrRefusal.VersionTooLow();
        }

        if (version > SpqrMessage.Version)
        {
            return ReceiveFromNewer(index, budget);
        }

        var parsed = SpqrMessage.Parse(message) ?? throw SpqrRefusal.Malformed();
        var received = _braid.Receive(parsed);
        var chains = received.Secret is null ? _chains : _chains.Add(received.Secret);
        var (key, next) = chains.Receive(parsed.Epoch - 1, index, budget);
        return new SpqrReceived(new SpqrState(_role, negotiating: false, next, received.Next), key);
    }

    /// <summary>Erases the secrets.</summary>
    public void Dispose()
    {
        _chains.Erase();
        _braid.Erase();
    }

    /// <summary>Everything that <see cref="TryParse"/> needs. Contains secrets.</summary>
    public byte[] Serialize()
    {
        var writer = new SpqrWriter();
        writer.Byte(StoredVersion);
        writer.Byte((byte)_role);
        writer.Byte(_negotiating ? (byte)1 : (byte)0);
        _chains.Write(writer);
        _braid.Write(writer);
        return writer.ToArrayAndErase();
    }

    /// <summary>Reads a stored state; false for anything that <see cref="Serialize"/> cannot have written.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out SpqrState? state)
    {
        state = null;
        var reader = new SpqrReader(bytes);
        reader.Require(reader.Byte() == StoredVersion);
        var role = reader.Byte();
        var negotiating = reader.Byte();
        reader.Require(role is (byte)SpqrRole.Initiator or (byte)SpqrRole.Responder && negotiating <= 1);
        if (!reader.IsValid)
        {
            return false;
        }

        var chains = SpqrChains.Read(ref reader, (SpqrRole)role);
        if (!reader.IsValid || BraidState.Read(ref reader) is not { } braid || !reader.IsComplete
            || chains.Epoch + 1 != braid.Epoch + (braid.HasSecret ? 1UL : 0))
        {
            return false;
        }

        state = new SpqrState((SpqrRole)role, negotiating == 1, chains, braid);
        return true;
    }

    /// <summary>
    /// A peer that speaks a later version opens with it. Until it has heard which one is spoken here, the key of the first
    /// epoch serves, and what the message carries is left alone; afterwards it must keep to <see cref="SpqrMessage.Version"/>.
    /// </summary>
    private SpqrReceived ReceiveFromNewer(uint index, StepBudget? budget)
    {
        if (!_negotiating)
        {
            throw SpqrRefusal.VersionChanged();
        }

        var (key, next) = _chains.Receive(0, index, budget);
        return new SpqrReceived(new SpqrState(_role, negotiating: true, next, _braid), key);
    }
}
