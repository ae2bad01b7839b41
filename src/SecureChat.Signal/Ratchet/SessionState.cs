using System.Collections.Immutable;
using System.Diagnostics;
using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Spqr;

namespace SecureChat.Signal.Ratchet;

/// <summary>
/// One session: the Double Ratchet and the post-quantum ratchet side by side. docs/protocol/sessions.md#chains.
/// </summary>
/// <remarks>
/// Immutable: a step gives a new state that shares with the old one what did not change. Whoever keeps neither disposes both.
/// A state that is thrown away has changed nothing, which is what makes a refused message harmless.
/// </remarks>
internal sealed record SessionState : IDisposable
{
    /// <summary>Chains of the other side that are kept for messages that come late.</summary>
    public const int MaxReceivingChains = 5;

    public required PublicKey LocalIdentity { get; init; }

    public required PublicKey RemoteIdentity { get; init; }

    public required uint LocalRegistrationId { get; init; }

    public required uint RemoteRegistrationId { get; init; }

    /// <summary>The initiator's one-time key of the handshake: it names the session.</summary>
    public required PublicKey BaseKey { get; init; }

    public required byte[] RootKey { get; init; }

    public required SendingChain Sending { get; init; }

    /// <summary>The length of the sending chain before, less one, as the field on the wire has it. Nobody reads it.</summary>
    public uint PreviousCounter { get; init; }

    /// <summary>The newest last.</summary>
    public required ImmutableArray<ReceivingChain> Receiving { get; init; }

    public required SpqrState PostQuantum { get; init; }

    /// <summary>At the initiator, until the other side has answered: what its messages open the session with.</summary>
    public PendingHandshake? Pending { get; init; }

    /// <summary>At the responder: SHA-256 of the handshake that opened the session.</summary>
    public byte[]? Opening { get; init; }

    /// <summary>The next message.</summary>
    /// <param name="plaintext">Anything; the caller pads what shall not show its length.</param>
    /// <param name="addresses">Both ends, bound into the message while the handshake is pending; or nothing.</param>
    public (SessionState Next, SessionMessage Message) Encrypt(
        ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> addresses, RandomSource random)
    {
        var (seed, sending) = Sending.Step();
        var postQuantum = PostQuantum.Send(random);
        using var keys = MessageKeys.Derive(seed, postQuantum.Key);
        var header = new MessageHeader(Sending.RatchetKey, Sending.Index, PreviousCounter);
        var message = SignalMessage.Seal(
            header, keys, plaintext, postQuantum.Message, Pending is null ? [] : addresses, (LocalIdentity, RemoteIdentity));
        var next = this with { Sending = sending, PostQuantum = postQuantum.Next };
        return (next, Pending is null
            ? new SessionMessage(CiphertextType.Message, message.Serialize())
            : new SessionMessage(CiphertextType.PreKeyMessage, Pending.Wrap(this, message)));
    }

    /// <summary>Decrypts a message.</summary>
    /// <param name="message">The message.</param>
    /// <param name="addresses">What a message that binds its ends must name: this side as the recipient.</param>
    /// <param name="random">For the next ratchet key.</param>
    /// <param name="budget">Where the message is tried in other sessions too: what all of them may step their chains.</param>
    /// <exception cref="SignalException">This state stays what it was.</exception>
    public (SessionState Next, byte[] Plaintext) Decrypt(
        SignalMessage message, ReadOnlySpan<byte> addresses, RandomSource random, StepBudget? budget = null)
    {
        var known = Receiving.FirstOrDefault(chain => chain.RatchetKey.Equals(message.RatchetKey));
        var (root, chain) = known is null ? StartReceiving(message.RatchetKey) : (RootKey, known);
        var (seed, nextChain) = chain.Take(message.Counter, budget);
        var postQuantum = ReceivePostQuantum(message.PostQuantum.Span, budget);
        using var keys = MessageKeys.Derive(seed, postQuantum.Key);

        // Nothing is decrypted, and no padding looked at, before the MAC has proved who made it.
        if (!message.VerifyMac(keys.Mac, RemoteIdentity, LocalIdentity))
        {
            throw new SignalException(SignalError.InvalidMessage, "The message is damaged, or was not made in this session.");
        }

        if (!message.Addresses.IsEmpty && !message.Addresses.Span.SequenceEqual(addresses))
        {
            throw new SignalException(SignalError.InvalidMessage, "The message is between other devices.");
        }

        var plaintext = keys.Decrypt(message.Ciphertext.Span)
            ?? throw new SignalException(SignalError.InvalidMessage, "The message is badly padded.");
        var next = this with { PostQuantum = postQuantum.Next, Pending = null };
        return known is null
            ? (next.Turn(root, nextChain, random), plaintext)
            : (next with { Receiving = Receiving.Replace(known, nextChain) }, plaintext);
    }

    /// <summary>Never the keys.</summary>
    public override string ToString() => nameof(SessionState);

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(RootKey);
        Sending.Dispose();
        foreach (var chain in Receiving)
        {
            chain.Dispose();
        }

        PostQuantum.Dispose();
    }

    /// <summary>The first half of a turn of the ratchet: a chain for the other side's new key.</summary>
    private (byte[] Root, ReceivingChain Chain) StartReceiving(PublicKey ratchetKey)
    {
        try
        {
            var (root, chainKey) = RatchetKdf.Root(RootKey, Sending.Agree(ratchetKey));
            return (root, new ReceivingChain(ratchetKey, chainKey));
        }
        catch (SignalException e) when (e.Error == SignalError.InvalidKey)
        {
            throw new SignalException(SignalError.InvalidMessage, "The message's ratchet key is of low order.", e);
        }
    }

    /// <summary>
    /// The second half: a new key and chain for this side. Only after the MAC was checked, so that a forged message costs
    /// one agreement and not two.
    /// </summary>
    private SessionState Turn(byte[] root, ReceivingChain received, RandomSource random)
    {
        var (nextRoot, sending) = SendingChain.Start(root, received.RatchetKey, random);
        CryptographicOperations.ZeroMemory(root);
        var kept = Receiving.Length < MaxReceivingChains ? Receiving : Receiving.RemoveAt(0);
        Debug.Assert(kept.Length < MaxReceivingChains);
        return this with
        {
            RootKey = nextRoot,
            Sending = sending,
            PreviousCounter = Math.Max(Sending.Index, 1) - 1,
            Receiving = kept.Add(received),
        };
    }

    /// <summary>
    /// The Double Ratchet alone tells what is a duplicate. What the post-quantum ratchet takes for one may well be a message
    /// of another session with the same device, which the caller tries next.
    /// </summary>
    private SpqrReceived ReceivePostQuantum(ReadOnlySpan<byte> message, StepBudget? budget)
    {
        try
        {
            return PostQuantum.Receive(message, budget);
        }
        catch (SignalException e) when (e.Error == SignalError.DuplicateMessage)
        {
            throw new SignalException(SignalError.InvalidMessage, e.Message, e);
        }
    }
}
