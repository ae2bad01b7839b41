using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Runtime.CompilerServices;
using SecureChat.Signal.Keys;

namespace SecureChat.Signal.Tests.Architecture;

/// <summary>The library does nothing but compute: it has no files, network, clock, console or log, and remembers nothing.</summary>
public sealed class PurityTests
{
    private static readonly Assembly Library = typeof(PublicKey).Assembly;

    private static readonly string[] ForbiddenPrefixes =
    [
        "System.IO.", "System.Net.", "System.Console", "System.TimeProvider", "System.Diagnostics.Stopwatch", "System.Diagnostics.Process",
        "System.Diagnostics.Trace", "System.Threading.Timer", "System.Threading.Thread", "System.Threading.ThreadLocal", "System.Threading.AsyncLocal",
        "System.Random", "Microsoft.Extensions.", "System.Environment.", "System.Threading.Tasks.Task.Delay", "System.Guid.NewGuid",
        "System.Guid.CreateVersion7", "System.DateTime.get_Now", "System.DateTime.get_UtcNow", "System.DateTimeOffset.get_Now",
        "System.DateTimeOffset.get_UtcNow", "System.Diagnostics.Tracing.",
    ];

    /// <summary>As it was built: the one beside the tests may have been made to count what they cover.</summary>
    internal static readonly string Built = Path.Combine(
        PackageTests.Project, "bin", PackageTests.Configuration, "net10.0", "SecureChat.Signal.dll");

    [Fact]
    public void Nothing_of_files_network_clock_console_or_log_is_referenced()
    {
        Assert.DoesNotContain(ReferencesOf(Built), IsForbidden);
        Assert.Contains(ReferencesOf(typeof(PurityTests).Assembly.Location), IsForbidden);
        Assert.Contains("System.Security.Cryptography.SHA256.HashData", ReferencesOf(Built));
    }

    /// <summary>So that it runs wherever .NET does, also where no test of ours has been.</summary>
    [Fact]
    public void It_and_what_it_stands_on_is_code_for_any_processor_that_calls_nothing_native_by_itself()
    {
        foreach (var assembly in new[] { Built, typeof(Org.BouncyCastle.Math.EC.Rfc7748.X25519).Assembly.Location })
        {
            using var file = new PEReader(File.OpenRead(assembly));

            Assert.Equal(CorFlags.ILOnly, file.PEHeaders.CorHeader!.Flags & ~CorFlags.StrongNameSigned);
            Assert.Equal((Machine.I386, PEMagic.PE32), (file.PEHeaders.CoffHeader.Machine, file.PEHeaders.PEHeader!.Magic));
            Assert.Equal(0, NativeCallsOf(file));
        }

        using var withNativeCalls = new PEReader(File.OpenRead(typeof(Support.Sodium).Assembly.Location));
        Assert.NotEqual(0, NativeCallsOf(withNativeCalls));
    }

    [Fact]
    public void No_static_field_can_be_written_and_none_holds_what_changes()
    {
        var fields = StaticsOf(Library).ToList();

        Assert.True(fields.Count > 10);
        Assert.Empty(fields.Where(field => !field.IsInitOnly).Select(NameOf));
        Assert.Empty(fields.Where(field => field.FieldType.IsArray && !field.IsPrivate).Select(NameOf));
        Assert.Empty(fields.Where(field => IsMutable(field.FieldType)).Select(NameOf));
    }

    private static int NativeCallsOf(PEReader file)
    {
        var metadata = file.GetMetadataReader();
        return metadata.GetTableRowCount(TableIndex.ModuleRef) + metadata.GetTableRowCount(TableIndex.ImplMap);
    }

    private static bool IsForbidden(string reference) => ForbiddenPrefixes.Any(prefix => reference.StartsWith(prefix, StringComparison.Ordinal));

    private static bool IsMutable(Type type) =>
        type.Namespace is "System.Collections.Generic" or "System.Collections.Concurrent" or "System.Text"
        || type.Name.StartsWith("ConditionalWeakTable", StringComparison.Ordinal)
        || type.Name.StartsWith("Lazy", StringComparison.Ordinal);

    /// <summary>What the source declares: the compiler's caches of delegates hold nothing of anybody.</summary>
    private static IEnumerable<FieldInfo> StaticsOf(Assembly assembly) => assembly.GetTypes()
        .Where(type => !type.IsDefined(typeof(CompilerGeneratedAttribute)) && !type.Name.StartsWith('<'))
        .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
        .Where(field => !field.IsLiteral);

    private static string NameOf(FieldInfo field) => $"{field.DeclaringType}.{field.Name}";

    /// <summary>Every type and every member of other assemblies that an assembly names.</summary>
    private static HashSet<string> ReferencesOf(string assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        var metadata = file.GetMetadataReader();
        string TypeName(EntityHandle handle)
        {
            var type = metadata.GetTypeReference((TypeReferenceHandle)handle);
            return $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}";
        }

        return
        [
            .. metadata.TypeReferences.Select(handle => TypeName(handle)),
            .. metadata.MemberReferences.Select(metadata.GetMemberReference)
                .Where(member => member.Parent.Kind == HandleKind.TypeReference)
                .Select(member => $"{TypeName(member.Parent)}.{metadata.GetString(member.Name)}"),
        ];
    }
}
