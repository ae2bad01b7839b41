using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Tests.Documentation;

/// <summary>The table of settings in docs/operating.md is made from the options' doc comments.</summary>
public sealed partial class SettingsTableTests
{
    private const string Begin = "<!-- settings: written by a test from the doc comments; CHAT_TEST_WRITE_DOCS=1 writes it anew -->\n";
    private const string End = "<!-- end of settings -->";

    [Fact]
    public void The_operating_guide_lists_every_setting_with_its_default()
    {
        var file = Path.Combine(RepositoryRoot(), "docs", "operating.md");
        var guide = File.ReadAllText(file);
        var begin = guide.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        var end = guide.IndexOf(End, StringComparison.Ordinal);
        var expected = string.Concat(guide.AsSpan(0, begin), Table(), guide.AsSpan(end));

        if (Environment.GetEnvironmentVariable("CHAT_TEST_WRITE_DOCS") is "1")
        {
            File.WriteAllText(file, expected);
        }

        Assert.Equal(expected, guide);
    }

    private static string Table()
    {
        var documentation = XDocument.Load(Path.ChangeExtension(typeof(ServerOptions).Assembly.Location, ".xml"))
            .Descendants("member")
            .ToDictionary(member => member.Attribute("name")!.Value, member => member.Element("summary")!);
        var table = new StringBuilder();
        foreach (var options in typeof(ServerOptions).Assembly.GetTypes().OrderBy(type => type.Name, StringComparer.Ordinal))
        {
            if (!documentation.TryGetValue($"T:{options.FullName}", out var summary)
                || SectionName().Match(Text(summary)) is not { Success: true } section)
            {
                continue;
            }

            AppendSection(table, options, section, documentation);
        }

        return table.ToString();
    }

    private static void AppendSection(
        StringBuilder table, Type options, Match section, Dictionary<string, XElement> documentation)
    {
        var name = section.Groups["name"].Value;
        table.Append(CultureInfo.InvariantCulture, $"\n### {name}\n\n{Capital(section.Groups["about"].Value)}\n\n");
        table.Append("| setting | default | |\n| --- | --- | --- |\n");
        var defaults = Activator.CreateInstance(options);
        foreach (var property in options.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.CanWrite))
        {
            var about = Text(documentation[$"P:{options.FullName}.{property.Name}"]);
            table.Append(CultureInfo.InvariantCulture,
                $"| `{Settings.VariableOf(name, property.Name)}` | {Default(property.GetValue(defaults))} | {about} |\n");
        }
    }

    private static string Default(object? value) => value switch
    {
        null or "" or System.Collections.ICollection { Count: 0 } => "",
        bool flag => flag ? "`true`" : "`false`",
        _ => $"`{Convert.ToString(value, CultureInfo.InvariantCulture)}`",
    };

    private static string Text(XElement summary)
    {
        var text = string.Concat(summary.Nodes().Select(node => node switch
        {
            XText plain => plain.Value,
            XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
            XElement { Name.LocalName: "see" } reference => $"`{reference.Attribute("cref")?.Value.Split('.')[^1]}`",
            XElement other => other.Value,
            _ => "",
        }));
        return Blanks().Replace(text, " ").Trim().Replace("|", "\\|", StringComparison.Ordinal);
    }

    private static string Capital(string sentence) => char.ToUpperInvariant(sentence[0]) + sentence[1..];

    private static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "SecureChat.slnx")))
        {
            folder = folder.Parent;
        }

        return folder.FullName;
    }

    [GeneratedRegex(@"^Section `(?<name>\w+)`: (?<about>.+)$")]
    private static partial Regex SectionName();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
