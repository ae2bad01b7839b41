using System.Text.Json;
using System.Text.RegularExpressions;
using SecureChat.Tests;

namespace SecureChat.Cli.Tests.Support;

/// <summary>The table of docs/cli.md that says which lines there are with <c>--json</c>, and which fields each has.</summary>
internal static partial class JsonTable
{
    private static readonly Lazy<ILookup<string, string>> Rows = new(Read);

    /// <summary>Every type that the table has.</summary>
    public static IEnumerable<string> Types => Rows.Value.Select(row => row.Key);

    /// <summary>Null when each line is an object as the table has it, else which one is not.</summary>
    public static string? Difference(string lines) =>
        lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => WrongIn(line) is { } wrong ? $"{wrong}: {line}" : null).FirstOrDefault(wrong => wrong is not null);

    /// <summary>The type of a line; null when it is no object that has one.</summary>
    public static string? TypeOf(string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("type", out var type) ? type.GetString() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? WrongIn(string line)
    {
        if (TypeOf(line) is not { } type)
        {
            return "no object with a type";
        }

        using var json = JsonDocument.Parse(line);
        return !Rows.Value.Contains(type) ? "docs/cli.md does not have the type"
            : json.RootElement.EnumerateObject().FirstOrDefault(field => field.Name != "type" && !Rows.Value[type].Contains(field.Name)) is { Value.ValueKind: not JsonValueKind.Undefined } field
                ? $"docs/cli.md does not have the field '{field.Name}'"
                : null;
    }

    // Types stand in the first column, fields in the last.
    private static ILookup<string, string> Read() => File.ReadLines(Path.Combine(WrittenTable.Root, "docs", "cli.md"))
        .SkipWhile(line => !line.StartsWith("| type |", StringComparison.Ordinal)).Skip(2).TakeWhile(line => line.StartsWith('|'))
        .Select(line => line.Split('|'))
        .SelectMany(cells => Words(cells[1]).SelectMany(type => Words(cells[3]).Append("type").Select(field => (type, field))))
        .ToLookup(pair => pair.type, pair => pair.field);

    private static IEnumerable<string> Words(string cell) => Quoted().Matches(cell).Select(match => match.Groups[1].Value);

    [GeneratedRegex("`([A-Za-z]+)`")]
    private static partial Regex Quoted();
}
