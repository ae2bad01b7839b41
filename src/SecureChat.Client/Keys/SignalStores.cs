using System.Buffers.Binary;
using System.Globalization;
using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;

namespace SecureChat.Client.Keys;

/// <summary>What the protocol library keeps, as rows of one transaction: durable together with what else a message changes.</summary>
/// <param name="now">The day of it is noted with sessions that are used.</param>
/// <param name="policy">What a changed identity does.</param>
/// <param name="identityChanged">Called with an account whose identity has just changed.</param>
internal sealed class SignalStores(StoreTransaction rows, DateTimeOffset now, IdentityPolicy policy, Action<Guid> identityChanged)
    : IIdentityStore, ISessionStore, IPreKeyStore
{
    private const int IdleDays = 30;

    /// <inheritdoc/>
    async ValueTask<PublicKey?> IIdentityStore.LoadAsync(ProtocolAddress remote, CancellationToken ct) =>
        await Contacts.FindAsync(rows, AccountOf(remote), ct) is { IdentityKey.IsEmpty: false } contact
            ? PublicKey.Parse(contact.IdentityKey.Span)
            : null;

    /// <summary>
    /// Receiving goes on with a new identity, so that nothing is lost: the person is told before. Sending waits where the policy, or
    /// an earlier comparison of safety numbers, asks for the person's agreement.
    /// </summary>
    public async ValueTask<bool> IsTrustedAsync(
        ProtocolAddress remote, PublicKey identity, TrustDirection direction, CancellationToken ct)
    {
        var contact = await Contacts.FindAsync(rows, AccountOf(remote), ct);
        if (direction == TrustDirection.Receiving || contact is null || contact.IdentityKey.IsEmpty)
        {
            return true;
        }

        return identity.Serialize().AsSpan().SequenceEqual(contact.IdentityKey.Span) ? !contact.ApprovalNeeded : !MustAgree(contact);
    }

    /// <inheritdoc/>
    public async ValueTask SaveAsync(ProtocolAddress remote, PublicKey identity, CancellationToken ct)
    {
        var account = AccountOf(remote);
        var contact = await Contacts.GetAsync(rows, account, ct);
        if (identity.Serialize().AsSpan().SequenceEqual(contact.IdentityKey.Span))
        {
            return;
        }

        if (!contact.IdentityKey.IsEmpty)
        {
            contact.ApprovalNeeded = MustAgree(contact);
            contact.Verified = false;
            identityChanged(account);
        }

        contact.IdentityKey = ByteString.CopyFrom(identity.Serialize());
        if (SignedDeviceList.TryRead(contact.DeviceList.Span, account, identity) is null)
        {
            contact.DeviceList = ByteString.Empty;
        }

        Contacts.Put(rows, contact);
    }

    /// <inheritdoc/>
    public async ValueTask<SessionRecord?> LoadAsync(ProtocolAddress remote, CancellationToken ct) =>
        await rows.ReadAsync(Tables.Sessions, NameOf(remote), ct) is { } stored ? ReadOrNull(stored, SessionRecord.Parse) : null;

    /// <inheritdoc/>
    public async ValueTask StoreAsync(ProtocolAddress remote, SessionRecord record, CancellationToken ct)
    {
        rows.Put(Tables.Sessions, NameOf(remote), record.Serialize());
        if (await LastUsedAsync(remote, ct) != Today)
        {
            var day = new byte[sizeof(int)];
            BinaryPrimitives.WriteInt32BigEndian(day, Today);
            rows.Put(Tables.SessionDays, NameOf(remote), day);
        }
    }

    /// <summary>Whether nothing was sent or received in a session for so long that another takes its place. Spec: docs/protocol/sessions.md.</summary>
    public async ValueTask<bool> IsIdleAsync(ProtocolAddress remote, CancellationToken ct) =>
        await LastUsedAsync(remote, ct) is { } day && Today - day >= IdleDays;

    /// <inheritdoc/>
    public async ValueTask<PreKeyRecord?> LoadOneTimeAsync(uint id, CancellationToken ct) =>
        await rows.ReadAsync(Tables.OneTimeKeys, NameOf(id), ct) is { } stored ? ReadOrNull(stored, PreKeyRecord.Parse) : null;

    /// <inheritdoc/>
    public ValueTask RemoveOneTimeAsync(uint id, CancellationToken ct)
    {
        rows.Remove(Tables.OneTimeKeys, NameOf(id));
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask<SignedPreKeyRecord?> LoadSignedAsync(uint id, CancellationToken ct) =>
        await rows.ReadAsync(Tables.SignedKeys, NameOf(id), ct) is { } stored ? ReadOrNull(stored, SignedPreKeyRecord.Parse) : null;

    /// <inheritdoc/>
    public async ValueTask<KyberPreKeyRecord?> LoadKyberAsync(uint id, CancellationToken ct) =>
        await rows.ReadAsync(Tables.KyberKeys, NameOf(id), ct) is { } row ? ReadOrNull(row.Record.Span, KyberPreKeyRecord.Parse) : null;

    /// <inheritdoc/>
    public async ValueTask<bool> WasUsedAsync(HandshakeUse use, CancellationToken ct) =>
        await rows.ReadAsync(Tables.KyberKeys, NameOf(use.KyberPreKeyId), ct) is { } row && row.BaseKeys.Contains(BaseKeyOf(use));

    /// <inheritdoc/>
    public async ValueTask MarkUsedAsync(HandshakeUse use, CancellationToken ct)
    {
        var name = NameOf(use.KyberPreKeyId);
        if (await rows.ReadAsync(Tables.KyberKeys, name, ct) is not { } row)
        {
            return;
        }

        if (!row.LastResort)
        {
            rows.Remove(Tables.KyberKeys, name);
            return;
        }

        row.BaseKeys.Add(BaseKeyOf(use));
        rows.Put(Tables.KyberKeys, name, row);
    }

    /// <summary>A record; null if it is damaged, which is as if it were not there.</summary>
    public static T? ReadOrNull<T>(ReadOnlySpan<byte> stored, Func<ReadOnlySpan<byte>, T> parse)
        where T : class
    {
        try
        {
            return parse(stored);
        }
        catch (SignalException damaged) when (damaged.Error == SignalError.InvalidRecord)
        {
            return null;
        }
    }

    public static string NameOf(uint id) => id.ToString(CultureInfo.InvariantCulture);

    private int Today => (int)(now.ToUnixTimeSeconds() / (long)TimeSpan.FromDays(1).TotalSeconds);

    private async ValueTask<int?> LastUsedAsync(ProtocolAddress remote, CancellationToken ct) =>
        await rows.ReadAsync(Tables.SessionDays, NameOf(remote), ct) is { } day ? BinaryPrimitives.ReadInt32BigEndian(day) : null;

    private bool MustAgree(ContactRecord contact) => policy == IdentityPolicy.BlockUntilApproved || contact.Verified;

    private static string NameOf(ProtocolAddress remote) => $"{remote.Name}.{NameOf((uint)remote.DeviceId)}";

    private static Guid AccountOf(ProtocolAddress remote) => Guid.ParseExact(remote.Name, "D");

    private static ByteString BaseKeyOf(HandshakeUse use)
    {
        Span<byte> signed = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(signed, use.SignedPreKeyId);
        return ByteString.CopyFrom([.. signed, .. use.BaseKey.Serialize()]);
    }
}
