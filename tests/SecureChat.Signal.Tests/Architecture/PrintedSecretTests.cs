using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using SecureChat.Signal.Keys;

namespace SecureChat.Signal.Tests.Architecture;

/// <summary>A record prints what it holds, and would so print a secret into somebody's log.</summary>
public sealed class PrintedSecretTests
{
    /// <summary>Records whose bytes travel in the open.</summary>
    private static readonly Dictionary<string, string> Public = new(StringComparer.Ordinal)
    {
        ["Chunk"] = "a part of a message on the wire",
        ["SpqrMessage"] = "on the wire",
        ["SessionMessage"] = "on the wire",
        ["HandshakeHeader"] = "on the wire",
        ["PendingHandshake"] = "goes out with each message until the answer",
        ["PreKeyBundle"] = "published",
    };

    [Fact]
    public void No_record_that_holds_a_secret_prints_what_it_holds()
    {
        var holders = typeof(PublicKey).Assembly.GetTypes().Where(type => IsRecord(type) && Holds(type, [])).ToList();

        Assert.Empty(holders.Where(type => !Public.ContainsKey(type.Name) && PrintsItself(type)).Select(type => type.FullName));
        Assert.Contains(holders, type => type.Name == "SessionState");
        Assert.Empty(Public.Keys.Except(holders.Where(PrintsItself).Select(type => type.Name)));
    }

    [Fact]
    public void Whatever_prints_itself_but_is_no_record_says_no_more_than_its_name_or_is_public()
    {
        var printing = typeof(PublicKey).Assembly.GetTypes()
            .Where(type => !IsRecord(type) && !type.IsEnum && Holds(type, []) && type.GetMethod("ToString", Type.EmptyTypes)!.DeclaringType == type)
            .ToList();

        Assert.Contains(printing, type => type == typeof(PrivateKey));
        Assert.All(printing, type => Assert.Equal(type.Name, RuntimeHelpers.GetUninitializedObject(type).ToString()));
    }

    private static bool IsRecord(Type type) =>
        type.GetMethod("PrintMembers", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.DeclaredOnly) is not null;

    private static bool PrintsItself(Type type) =>
        type.GetMethod("ToString", Type.EmptyTypes)!.IsDefined(typeof(CompilerGeneratedAttribute));

    /// <summary>Whether bytes that may be secret are in it, directly or in what it is made of.</summary>
    private static bool Holds(Type type, HashSet<Type> seen)
    {
        if (type == typeof(byte[]) || type == typeof(ReadOnlyMemory<byte>))
        {
            return true;
        }

        if (type.IsGenericType && typeof(IEnumerable).IsAssignableFrom(type))
        {
            return type.GetGenericArguments().Any(argument => Holds(argument, seen));
        }

        return type.Assembly == typeof(PublicKey).Assembly
            && type != typeof(PublicKey)
            && type != typeof(KyberPublicKey)
            && seen.Add(type)
            && FieldsOf(type).Any(field => Holds(Nullable.GetUnderlyingType(field.FieldType) ?? field.FieldType, seen));
    }

    private static IEnumerable<FieldInfo> FieldsOf(Type? type) => type is null
        ? []
        : type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.DeclaredOnly).Concat(FieldsOf(type.BaseType));
}
