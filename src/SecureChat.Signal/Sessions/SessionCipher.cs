using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;

namespace SecureChat.Signal.Sessions;

/// <summary>Starts sessions, encrypts and decrypts, with what is stored. docs/protocol/sessions.md.</summary>
/// <remarks>
/// Nothing is stored before a message has proved genuine; then in an order in which an interruption at any point loses no
/// message. The messages of one remote device are worked on one after the other; that is the caller's care.
/// </remarks>
/// <param name="self">This device.</param>
/// <param name="sessions">Where the sessions are.</param>
/// <param name="identities">Where the identities of others are, and who is trusted.</param>
/// <param name="preKeys">Where this device's prekeys are.</param>
/// <param name="random">For ratchet keys.</param>
public sealed class SessionCipher(
    LocalDevice self, ISessionStore sessions, IIdentityStore identities, IPreKeyStore preKeys, RandomSource random)
{
    /// <summary>Starts a session with the owner of a bundle. A session that was there is kept for late messages.</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.UntrustedIdentity"/>; <see cref="SignalError.InvalidKey"/>: a key of the bundle is of low order.
    /// </exception>
    public async ValueTask StartAsync(
        ProtocolAddress remote, VerifiedBundle bundle, DateTimeOffset now, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(bundle);
        await RequireTrustAsync(remote, bundle.IdentityKey, TrustDirection.Sending, ct).ConfigureAwait(false);
        using var record = await LoadAsync(remote, ct).ConfigureAwait(false);
        using var next = record.Start(Pqxdh.Initiate(self, bundle, now, random));
        await identities.SaveAsync(remote, bundle.IdentityKey, ct).ConfigureAwait(false);
        await sessions.StoreAsync(remote, next, ct).ConfigureAwait(false);
    }

    /// <summary>Encrypts for a device with which there is a session.</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.NoSession"/>, also for one that was not answered for 30 days;
    /// <see cref="SignalError.UntrustedIdentity"/>.
    /// </exception>
    public async ValueTask<SessionMessage> EncryptAsync(
        ProtocolAddress remote, ReadOnlyMemory<byte> plaintext, DateTimeOffset now, CancellationToken ct)
    {
        using var record = await LoadAsync(remote, ct).ConfigureAwait(false);
        if (!record.CanSend(now))
        {
            throw new SignalException(SignalError.NoSession, "There is no session to send in.");
        }

        await RequireTrustAsync(remote, record.RemoteIdentity!, TrustDirection.Sending, ct).ConfigureAwait(false);
        var (next, message) = SessionSteps.Encrypt(record, plaintext.Span, new Ends(self, remote).SentAddresses, random);
        using (next)
        {
            // Stored before the message is let out: a key that could be used again would encrypt two messages.
            await sessions.StoreAsync(remote, next, ct).ConfigureAwait(false);
            return message;
        }
    }

    /// <summary>Decrypts a message of a session, or one that opens a session.</summary>
    /// <exception cref="SignalException">
    /// Any refusal, with everything stored as it was before. <see cref="SignalError.DuplicateMessage"/> is none to worry about.
    /// </exception>
    public ValueTask<byte[]> DecryptAsync(
        ProtocolAddress remote, CiphertextType type, ReadOnlyMemory<byte> message, CancellationToken ct) => type switch
        {
            CiphertextType.Message => DecryptAsync(remote, SignalMessage.Parse(message.Span), ct),
            CiphertextType.PreKeyMessage => DecryptAsync(remote, PreKeySignalMessage.Parse(message.Span), ct),
            _ => throw new SignalException(SignalError.InvalidMessage, "That is no message of a session."),
        };

    private async ValueTask<byte[]> DecryptAsync(ProtocolAddress remote, SignalMessage message, CancellationToken ct)
    {
        using var record = await LoadAsync(remote, ct).ConfigureAwait(false);
        var (next, plaintext) = SessionSteps.Decrypt(record, message, new Ends(self, remote), random);
        using (next)
        {
            await RequireTrustAsync(remote, next.RemoteIdentity!, TrustDirection.Receiving, ct).ConfigureAwait(false);
            await identities.SaveAsync(remote, next.RemoteIdentity!, ct).ConfigureAwait(false);
            await sessions.StoreAsync(remote, next, ct).ConfigureAwait(false);
            return plaintext;
        }
    }

    private async ValueTask<byte[]> DecryptAsync(ProtocolAddress remote, PreKeySignalMessage message, CancellationToken ct)
    {
        await RequireTrustAsync(remote, message.IdentityKey, TrustDirection.Receiving, ct).ConfigureAwait(false);
        using var record = await LoadAsync(remote, ct).ConfigureAwait(false);
        var ends = new Ends(self, remote);
        SessionRecord? opened = null;
        if (SessionSteps.DecryptAgain(record, message, ends, random) is not var (next, plaintext))
        {
            (opened, next, plaintext) = await DecryptFirstAsync(record, message, ends, ct).ConfigureAwait(false);
        }

        using (opened)
        using (next)
        {
            await identities.SaveAsync(remote, message.IdentityKey, ct).ConfigureAwait(false);
            if (opened is not null)
            {
                // Before the message is taken for read: if what follows is interrupted, it comes again and needs no prekeys.
                await sessions.StoreAsync(remote, opened, ct).ConfigureAwait(false);
            }

            await ForgetPreKeysAsync(message.Header, ct).ConfigureAwait(false);
            await sessions.StoreAsync(remote, next, ct).ConfigureAwait(false);
            return plaintext;
        }
    }

    private async ValueTask<(SessionRecord Opened, SessionRecord Next, byte[] Plaintext)> DecryptFirstAsync(
        SessionRecord record, PreKeySignalMessage message, Ends ends, CancellationToken ct)
    {
        var header = message.Header;
        if (await preKeys.WasUsedAsync(UseOf(header), ct).ConfigureAwait(false))
        {
            throw new SignalException(SignalError.DuplicateMessage, "The handshake is a replay of one that was done before.");
        }

        using var signed = await preKeys.LoadSignedAsync(header.SignedPreKeyId, ct).ConfigureAwait(false) ?? throw Unknown();
        using var kyber = await preKeys.LoadKyberAsync(header.KyberPreKeyId, ct).ConfigureAwait(false) ?? throw Unknown();
        using var oneTime = header.PreKeyId is { } id
            ? await preKeys.LoadOneTimeAsync(id, ct).ConfigureAwait(false) ?? throw Unknown()
            : null;
        return SessionSteps.DecryptFirst(
            record, (self, new ResponderPreKeys(signed, oneTime, kyber)), message, ends, random);
    }

    private async ValueTask ForgetPreKeysAsync(HandshakeHeader header, CancellationToken ct)
    {
        if (await preKeys.WasUsedAsync(UseOf(header), ct).ConfigureAwait(false))
        {
            return;
        }

        if (header.PreKeyId is { } id)
        {
            await preKeys.RemoveOneTimeAsync(id, ct).ConfigureAwait(false);
        }

        // Last, since from then on all of it counts as done.
        await preKeys.MarkUsedAsync(UseOf(header), ct).ConfigureAwait(false);
    }

    private async ValueTask RequireTrustAsync(
        ProtocolAddress remote, PublicKey identity, TrustDirection direction, CancellationToken ct)
    {
        if (!await identities.IsTrustedAsync(remote, identity, direction, ct).ConfigureAwait(false))
        {
            throw new SignalException(SignalError.UntrustedIdentity, "The other side's identity key is not the trusted one.");
        }
    }

    private async ValueTask<SessionRecord> LoadAsync(ProtocolAddress remote, CancellationToken ct) =>
        await sessions.LoadAsync(remote, ct).ConfigureAwait(false) ?? SessionRecord.Empty;

    private static HandshakeUse UseOf(HandshakeHeader header) =>
        new(header.KyberPreKeyId, header.SignedPreKeyId, header.BaseKey);

    private static SignalException Unknown() =>
        new(SignalError.UnknownPreKey, "The message uses a prekey that is not there any more.");
}
