using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Signal.Keys;

namespace SecureChat.Signal.Tests.Support;

/// <summary>Everything that stores in memory hold, as one hash: sessions, identities, prekeys and the marks of used ones.</summary>
internal static class StoredState
{
    public static string Of(object stores)
    {
        var lines = new List<string>();
        foreach (var field in stores.GetType().GetFields(BindingFlags.Instance | BindingFlags.NonPublic))
        {
            var entries = Assert.IsType<IDictionary>(field.GetValue(stores), exactMatch: false);
            lines.AddRange(entries.Keys.Cast<object>().Select(key => $"{field.Name} {Text(key)} {Text(entries[key]!)}"));
        }

        return Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', lines.Order(StringComparer.Ordinal)))));
    }

    private static string Text(object value) => value switch
    {
        byte[] bytes => Convert.ToHexString(SHA256.HashData(bytes)),
        PublicKey key => Convert.ToHexString(key.Serialize()),
        HandshakeUse use => $"{use.KyberPreKeyId} {use.SignedPreKeyId} {Text(use.BaseKey)}",
        ITuple tuple => string.Join(' ', Enumerable.Range(0, tuple.Length).Select(i => Text(tuple[i]!))),
        _ => value.ToString()!,
    };
}
