using System.Globalization;
using System.Text;
using System.Xml.Linq;
using SecureChat.Server.Abuse;
using SecureChat.Server.Tests.Architecture;

namespace SecureChat.Server.Tests.Documentation;

/// <summary>The table of rate limits in docs/operating.md is made from the limits and their doc comments.</summary>
public sealed class LimitsTableTests
{
    [Fact]
    public void The_operating_guide_lists_every_rate_limit_with_its_reason() =>
        WrittenTable.Check("docs/operating.md", "rate limits", LimitsTable());

    [Fact]
    public void The_protocol_lists_every_detector_with_its_reason() =>
        WrittenTable.Check("docs/protocol/abuse.md", "detectors", DetectorsTable());

    private static string DetectorsTable()
    {
        static string Level(double threshold) => double.IsFinite(threshold) ? threshold.ToString(CultureInfo.InvariantCulture) : "-";
        var table = new StringBuilder("\n| detector | actor | half-life | slow | prove | refuse | why |\n| --- | --- | --- | --- | --- | --- | --- |\n");
        foreach (var field in typeof(Detectors).GetFields())
        {
            var one = (Detector)field.GetValue(null)!;
            table.Append(
                CultureInfo.InvariantCulture,
                $"| `{one.Name}` | {one.Actor.ToString().ToLowerInvariant()} | {one.HalfLife} | {Level(one.Slow)} | {Level(one.Prove)} | " +
                $"{Level(one.Refuse)} | {WrittenTable.Reason<Detector>(field)} |\n");
        }

        return table.Append('\n').ToString();
    }

    private static string LimitsTable()
    {
        var table = new StringBuilder("\n| limit | per | at once | one back every | without the hot store | why |\n| --- | --- | --- | --- | --- | --- |\n");
        foreach (var field in typeof(RateLimits).GetFields())
        {
            var limit = (RateLimit)field.GetValue(null)!;
            table.Append(
                CultureInfo.InvariantCulture,
                $"| `{limit.Name}` | {limit.Scope.ToString().ToLowerInvariant()} | {limit.Bucket.Size} | {limit.Bucket.Refill} | " +
                $"{limit.WithoutStore.ToString().ToLowerInvariant()} | {WrittenTable.Reason<RateLimit>(field)} |\n");
        }

        return table.Append('\n').ToString();
    }
}

/// <summary>A part of a document between two comments that a test writes and holds.</summary>
internal static class WrittenTable
{
    private static readonly XDocument Documentation =
        XDocument.Load(Path.ChangeExtension(typeof(RateLimits).Assembly.Location, ".xml"));

    public static void Check(string path, string name, string table)
    {
        var file = Path.Combine(Sources.Root, path);
        var document = File.ReadAllText(file);
        var opening = $"<!-- {name}: written by a test; CHAT_TEST_WRITE_DOCS=1 writes it anew -->\n";
        var begin = document.IndexOf(opening, StringComparison.Ordinal) + opening.Length;
        var end = document.IndexOf($"<!-- end of {name} -->", StringComparison.Ordinal);
        var expected = string.Concat(document.AsSpan(0, begin), table, document.AsSpan(end));
        if (Environment.GetEnvironmentVariable("CHAT_TEST_WRITE_DOCS") is "1")
        {
            File.WriteAllText(file, expected);
        }

        Assert.Equal(expected, document);
    }

    /// <summary>The doc comment of a field, on one line.</summary>
    public static string Reason<T>(System.Reflection.FieldInfo field)
    {
        Assert.Equal(typeof(T), field.FieldType);
        var summary = Documentation.Descendants("member")
            .Single(member => member.Attribute("name")!.Value == $"F:{field.DeclaringType!.FullName}.{field.Name}").Element("summary")!;
        return string.Join(' ', summary.Value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }
}
