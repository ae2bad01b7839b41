using Google.Protobuf;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Keys;
using SecureChat.Signal;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Keys;

/// <summary>Makes this device's prekeys: the public halves go to the server, the secrets into the store. Spec: docs/protocol/keys.md.</summary>
internal static class PreKeys
{
    /// <summary>How long a signed prekey is published before the next one is.</summary>
    public static readonly TimeSpan RotateAfter = TimeSpan.FromDays(7);

    /// <summary>How long the secret of a signed prekey is kept: who fetched it a month ago may use it now.</summary>
    private static readonly TimeSpan KeepSigned = TimeSpan.FromDays(45);

    /// <summary>Secrets of one-time keys kept beyond those published: of keys that were handed out and not used yet.</summary>
    private const uint KeptOneTime = 400;

    /// <summary>Signed prekey and last-resort key, to be published.</summary>
    public static (SignedKey SignedPreKey, SignedKey LastResort) MakeSigned(
        StoreTransaction rows, SelfRecord self, IdentityKeyPair identity, DateTimeOffset now)
    {
        using var signed = SignedPreKeyRecord.Generate(self.NextKeyId++, identity, now, RandomSource.System);
        using var kyber = KyberPreKeyRecord.Generate(self.NextKeyId++, identity, now, RandomSource.System);
        rows.Put(Tables.SignedKeys, SignalStores.NameOf(signed.Id), signed.Serialize());
        Put(rows, kyber, lastResort: true);
        (self.SignedPrekey, self.LastResortKey, self.SignedKeysMade) = (signed.Id, kyber.Id, now.Milliseconds());
        return (Public(signed), Public(kyber));
    }

    /// <summary>New one-time keys of both kinds, in place of all that are published.</summary>
    public static PublishKeys MakeOneTime(
        StoreTransaction rows, SelfRecord self, IdentityKeyPair identity, DateTimeOffset now, int count)
    {
        var curve = new List<OneTimeKey>(count);
        var kyber = new List<SignedKey>(count);
        for (var i = 0; i < count; i++)
        {
            using var key = PreKeyRecord.Generate(self.NextKeyId++, RandomSource.System);
            rows.Put(Tables.OneTimeKeys, SignalStores.NameOf(key.Id), key.Serialize());
            curve.Add(new OneTimeKey((int)key.Id, key.PrivateKey.PublicKey.Serialize()));
            using var pair = KyberPreKeyRecord.Generate(self.NextKeyId++, identity, now, RandomSource.System);
            Put(rows, pair, lastResort: false);
            kyber.Add(Public(pair));
        }

        return new PublishKeys(OneTimeKeys: curve, KyberOneTimeKeys: kyber);
    }

    /// <summary>Forgets secrets that nobody can need any more.</summary>
    public static async Task ForgetOldAsync(StoreTransaction rows, ILocalStore store, SelfRecord self, DateTimeOffset now, CancellationToken ct)
    {
        var oldest = self.NextKeyId > KeptOneTime ? self.NextKeyId - KeptOneTime : 0;
        foreach (var row in await store.ListAsync(Tables.OneTimeKeys, after: 0, limit: int.MaxValue, ct))
        {
            if (uint.Parse(row.Key, System.Globalization.CultureInfo.InvariantCulture) < oldest)
            {
                rows.Remove(Tables.OneTimeKeys, row.Key);
            }
        }

        foreach (var row in await store.ListAsync(Tables.SignedKeys, after: 0, limit: int.MaxValue, ct))
        {
            using var key = SignalStores.ReadOrNull(row.Value.Span, SignedPreKeyRecord.Parse);
            if (key is null || (key.Id != self.SignedPrekey && key.CreatedAt + KeepSigned < now))
            {
                rows.Remove(Tables.SignedKeys, row.Key);
            }
        }

        foreach (var (name, row) in await rows.ListAsync(Tables.KyberKeys, ct))
        {
            using var key = SignalStores.ReadOrNull(row.Record.Span, KyberPreKeyRecord.Parse);
            var isOld = row.LastResort ? key?.Id != self.LastResortKey && key?.CreatedAt + KeepSigned < now : key?.Id < oldest;
            if (key is null || isOld)
            {
                rows.Remove(Tables.KyberKeys, name);
            }
        }
    }

    private static void Put(StoreTransaction rows, KyberPreKeyRecord key, bool lastResort) => rows.Put(
        Tables.KyberKeys,
        SignalStores.NameOf(key.Id),
        new KyberRecord { Record = ByteString.CopyFrom(key.Serialize()), LastResort = lastResort });

    private static SignedKey Public(SignedPreKeyRecord key) =>
        new((int)key.Id, key.PrivateKey.PublicKey.Serialize(), key.Signature.ToArray());

    private static SignedKey Public(KyberPreKeyRecord key) =>
        new((int)key.Id, key.KeyPair.PublicKey.Serialize(), key.Signature.ToArray());
}
