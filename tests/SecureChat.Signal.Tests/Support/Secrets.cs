using System.Collections;
using System.Reflection;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Spqr;

namespace SecureChat.Signal.Tests.Support;

/// <summary>Finds the byte arrays with secrets that an object of the library holds, itself or through others.</summary>
internal static class Secrets
{
    /// <summary>Holders of nothing but what travels in the open.</summary>
    private static readonly Type[] Public =
        [typeof(PublicKey), typeof(KyberPublicKey), typeof(PendingHandshake), typeof(ChunkEncoder), typeof(ChunkDecoder)];

    private static readonly string[] PublicFields = ["edwardsKey", "publicKey", "opening", "ciphertext", "signature", "header", "vector"];

    public static IReadOnlyList<byte[]> Of(object holder)
    {
        var found = new List<byte[]>();
        Look(holder, found);
        return found;
    }

    private static void Look(object? value, List<byte[]> found)
    {
        switch (value)
        {
            case null:
                return;
            case byte[] bytes:
                found.Add(bytes);
                return;
            case IDictionary dictionary:
                Look(dictionary.Values, found);
                return;
            case IEnumerable all and not string:
                foreach (var one in all)
                {
                    Look(one, found);
                }

                return;
        }

        if (value.GetType().Assembly != typeof(PublicKey).Assembly || Public.Contains(value.GetType()))
        {
            return;
        }

        for (var type = value.GetType(); type is not null; type = type.BaseType)
        {
            const BindingFlags own = BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.DeclaredOnly;
            foreach (var field in type.GetFields(own))
            {
                if (!PublicFields.Any(name => field.Name.Contains(name, StringComparison.OrdinalIgnoreCase)))
                {
                    Look(field.GetValue(value), found);
                }
            }
        }
    }
}
