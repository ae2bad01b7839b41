using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace SecureChat.Cli;

/// <summary>What a command has to say: lines for people, or one JSON object a line for programs (docs/cli.md).</summary>
internal sealed class Output(CliHost host, bool isJson)
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Lock _turn = new();

    public bool IsJson => isJson;

    /// <summary>One thing: <paramref name="text"/> for people, the fields for programs.</summary>
    public void Write(LineType type, string text, params ReadOnlySpan<(string Name, JsonNode? Value)> fields)
    {
        var line = text;
        if (isJson)
        {
            var json = new JsonObject { ["type"] = NameOf(type) };
            foreach (var (name, value) in fields)
            {
                json[name] = value;
            }

            line = json.ToJsonString(Plain);
        }

        lock (_turn)
        {
            host.Out.WriteLine(isJson ? line : Safe(line));
            host.Out.Flush();
        }
    }

    /// <summary>Something for people alone.</summary>
    public void Say(string text)
    {
        if (isJson)
        {
            return;
        }

        lock (_turn)
        {
            host.Out.WriteLine(Safe(text));
            host.Out.Flush();
        }
    }

    /// <summary>Rows below headings, for people alone.</summary>
    public void Table(IReadOnlyList<string> headings, IEnumerable<IReadOnlyList<string>> rows)
    {
        if (isJson)
        {
            return;
        }

        var table = new Table().NoBorder();
        foreach (var heading in headings)
        {
            table.AddColumn(new TableColumn(new Text(heading)).NoWrap().PadLeft(0).PadRight(2));
        }

        foreach (var row in rows)
        {
            table.AddRow(row.Select(cell => new Text(Safe(cell))));
        }

        using var lines = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(lines), Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
        console.Profile.Width = Math.Max(120, host.Size.Columns);
        console.Write(table);
        foreach (var line in lines.ToString().TrimEnd().Split('\n'))
        {
            host.Out.WriteLine(line.TrimEnd());
        }
    }

    public void Fail(CliException failure)
    {
        if (isJson)
        {
            host.Error.WriteLine(new JsonObject
            {
                ["type"] = NameOf(LineType.Error),
                ["code"] = failure.Code,
                ["message"] = failure.Message,
                ["next"] = failure.Next,
            }.ToJsonString(Plain));
            return;
        }

        host.Error.WriteLine(Safe($"error: {failure.Message}"));
        host.Error.WriteLine(Safe($"       {failure.Next}"));
    }

    private static string NameOf(LineType type) => JsonNamingPolicy.CamelCase.ConvertName(type.ToString());

    // What others wrote must not move the cursor, change colours, set the window's title or turn the direction of the text.
    internal static string Safe(string text) => string.Concat(text.Select(symbol => IsSafe(symbol) ? symbol : '\uFFFD'));

    private static bool IsSafe(char symbol) => char.GetUnicodeCategory(symbol) switch
    {
        UnicodeCategory.Control => symbol is '\n' or '\t',

        // These two join letters and emoji.
        UnicodeCategory.Format => symbol is '\u200C' or '\u200D',
        UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => false,
        _ => true,
    };
}
