using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Keys;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Keys;

/// <summary>What is checked about an upload of keys before any of it is stored.</summary>
internal static class PublishedKeys
{
    public static bool IsWellFormed(PublishKeys keys) =>
        (keys.SignedPreKey is null || SignedKeys.IsPreKey(keys.SignedPreKey))
        && (keys.LastResortKey is null || SignedKeys.IsKyberKey(keys.LastResortKey))
        && (keys.OneTimeKeys is null || AreWellFormed(keys.OneTimeKeys))
        && (keys.KyberOneTimeKeys is null || AreWellFormed(keys.KyberOneTimeKeys));

    /// <summary>Whether every key that carries a signature was signed with the account's identity key.</summary>
    public static bool AreSigned(PublishKeys keys, byte[] identityKey) =>
        Signed(keys).All(key => SignedKeys.IsSigned(key, identityKey));

    private static bool AreWellFormed(IReadOnlyList<OneTimeKey> keys) =>
        keys.Count <= Limits.MaxOneTimeKeys
        && keys.All(key => key is { KeyId: >= 0 } && SignedKeys.IsX25519(key.Key))
        && keys.DistinctBy(key => key.KeyId).Count() == keys.Count;

    private static bool AreWellFormed(IReadOnlyList<SignedKey> keys) =>
        keys.Count <= Limits.MaxOneTimeKeys
        && keys.All(key => key is not null && SignedKeys.IsKyberKey(key))
        && keys.DistinctBy(key => key.KeyId).Count() == keys.Count;

    private static IEnumerable<SignedKey> Signed(PublishKeys keys)
    {
        if (keys.SignedPreKey is { } signed)
        {
            yield return signed;
        }

        if (keys.LastResortKey is { } lastResort)
        {
            yield return lastResort;
        }

        foreach (var kyber in keys.KyberOneTimeKeys ?? [])
        {
            yield return kyber;
        }
    }
}
