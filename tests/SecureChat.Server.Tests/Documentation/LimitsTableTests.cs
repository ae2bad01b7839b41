using System.Globalization;
using System.Reflection;
using System.Text;
using System.Xml.Linq;
using SecureChat.Server.Abuse;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Documentation;

/// <summary>The table of rate limits in docs/operating.md is made from the limits and their doc comments.</summary>
public sealed class LimitsTableTests
{
    private static readonly XDocument Documentation =
        XDocument.Load(Path.ChangeExtension(typeof(RateLimits).Assembly.Location, ".xml"));

    [Fact]
    public void The_operating_guide_lists_every_rate_limit_with_its_reason() =>
        WrittenTable.Check("docs/operating.md", "rate limits", LimitsTable());

    [Fact]
    public void The_protocol_lists_every_detector_with_its_reason() =>
        WrittenTable.Check("docs/protocol/abuse.md", "detectors", DetectorsTable());

    /// <summary>The doc comment of a field, on one line.</summary>
    private static string Reason<T>(FieldInfo field)
    {
        Assert.Equal(typeof(T), field.FieldType);
        var summary = Documentation.Descendants("member")
            .Single(member => member.Attribute("name")!.Value == $"F:{field.DeclaringType!.FullName}.{field.Name}").Element("summary")!;
        return string.Join(' ', summary.Value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

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
                $"{Level(one.Refuse)} | {Reason<Detector>(field)} |\n");
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
                $"{limit.WithoutStore.ToString().ToLowerInvariant()} | {Reason<RateLimit>(field)} |\n");
        }

        return table.Append('\n').ToString();
    }
}
