using System.Runtime.ExceptionServices;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Ratchet;

namespace SecureChat.Signal.Sessions;

/// <summary>The steps of sessions without waiting for anything: record in, record out. A refusal leaves the record as it was.</summary>
internal static class SessionSteps
{
    /// <summary>Encrypts in the current session, which there has to be.</summary>
    public static (SessionRecord Next, SessionMessage Message) Encrypt(
        SessionRecord record, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> addresses, RandomSource random)
    {
        var (state, message) = record.Current!.Encrypt(plaintext, addresses, random);
        return (record.WithCurrent(state), message);
    }

    /// <summary>
    /// Decrypts in the session that the message belongs to: the current one, or one from the archive, which then becomes
    /// the current one, so that both sides end up sending in the same.
    /// </summary>
    /// <remarks>
    /// The archive has one jump for all its sessions together: enough for every late message but one that hundreds were lost
    /// before, and a forged message does not cost forty times what it costs the current session.
    /// </remarks>
    public static (SessionRecord Next, byte[] Plaintext) Decrypt(
        SessionRecord record, SignalMessage message, Ends ends, RandomSource random)
    {
        ExceptionDispatchInfo? first = null;
        if (record.Current is { } current)
        {
            try
            {
                var (next, plaintext) = current.Decrypt(message, ends.Addresses, random);
                return (record.WithCurrent(next), plaintext);
            }
            catch (SignalException e) when (e.Error != SignalError.DuplicateMessage)
            {
                first = ExceptionDispatchInfo.Capture(e);
            }
        }

        var budget = new StepBudget(ReceivingChain.MaxJump);
        for (var i = 0; i < record.ArchivedCount; i++)
        {
            var session = record.Archived(i);
            try
            {
                var (next, plaintext) = session.Decrypt(message, ends.Addresses, random, budget);
                return (record.Promote(i, next), plaintext);
            }
            catch (SignalException e)
            {
                session.Dispose();
                if (e.Error == SignalError.DuplicateMessage)
                {
                    throw;
                }

                first ??= ExceptionDispatchInfo.Capture(e);
            }
        }

        first?.Throw();
        throw new SignalException(SignalError.NoSession, "There is no session with the sender.");
    }

    /// <summary>Decrypts a message that opens a session which is there already; null when it opens a new one.</summary>
    public static (SessionRecord Next, byte[] Plaintext)? DecryptAgain(
        SessionRecord record, PreKeySignalMessage message, Ends ends, RandomSource random)
    {
        if (record.Current is { } current && current.BaseKey.Equals(message.Header.BaseKey))
        {
            var (next, plaintext) = InSession(current, message, ends, random);
            return (record.WithCurrent(next), plaintext);
        }

        if (!record.TryFindArchived(message.Header.BaseKey, out var index))
        {
            return null;
        }

        var session = record.Archived(index);
        try
        {
            var (next, plaintext) = InSession(session, message, ends, random);
            return (record.Promote(index, next), plaintext);
        }
        catch (SignalException)
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Decrypts a message that opens a new session.</summary>
    /// <returns>The record with the new session before the message, and after it.</returns>
    public static (SessionRecord Opened, SessionRecord Next, byte[] Plaintext) DecryptFirst(
        SessionRecord record,
        (LocalDevice Device, ResponderPreKeys PreKeys) self,
        PreKeySignalMessage message,
        Ends ends,
        RandomSource random)
    {
        try
        {
            var opened = Pqxdh.Respond(self.Device, self.PreKeys, message.Header);
            try
            {
                var (next, plaintext) = opened.Decrypt(message.Message, ends.Addresses, random);
                var started = record.Start(opened);
                return (started, started.WithCurrent(next), plaintext);
            }
            catch (SignalException)
            {
                opened.Dispose();
                throw;
            }
        }
        catch (SignalException e) when (e.Error == SignalError.InvalidKey)
        {
            throw new SignalException(SignalError.InvalidMessage, "A key of the handshake is of low order.", e);
        }
    }

    private static (SessionState Next, byte[] Plaintext) InSession(
        SessionState session, PreKeySignalMessage message, Ends ends, RandomSource random) =>
        session.Opening is { } opening && opening.AsSpan().SequenceEqual(message.Header.Hash())
            ? session.Decrypt(message.Message, ends.Addresses, random)
            : throw new SignalException(SignalError.InvalidMessage, "The handshake is not the one that opened the session.");
}

/// <summary>Who writes and who reads.</summary>
internal sealed class Ends
{
    private readonly byte[] _sent;
    private readonly byte[] _received;

    public Ends(LocalDevice self, ProtocolAddress remote)
    {
        _sent = Bind(self.Address, remote);
        _received = Bind(remote, self.Address);
    }

    /// <summary>What a message to this side has to name, if it names anything.</summary>
    public ReadOnlySpan<byte> Addresses => _received;

    /// <summary>What a message from this side names; nothing if an end is no service id.</summary>
    public ReadOnlySpan<byte> SentAddresses => _sent;

    private static byte[] Bind(ProtocolAddress sender, ProtocolAddress recipient) =>
        ServiceId.TryParse(sender.Name, out var from) && ServiceId.TryParse(recipient.Name, out var to)
            ? [.. from.ToBinary(), (byte)sender.DeviceId, .. to.ToBinary(), (byte)recipient.DeviceId]
            : [];
}
