using System.Reflection;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using SecureChat.Server.Hosting;
using SecureChat.Server.Push;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Health;

/// <summary>
/// <c>/.well-known/data-held.json</c>: which fields there are comes from the schema, the tables of keys, the log events and the metrics'
/// labels; what is said of them, from <see cref="HeldWords"/>.
/// </summary>
/// <remarks>The build makes the document, so a field of which nothing is said, and words about a field that is gone, stop it.</remarks>
internal static partial class DataHeld
{
    /// <exception cref="SettingsException">Something is held of which nothing is said, or said of what is not held.</exception>
    public static string Create()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Format))
        {
            json.WriteStartObject();
            json.WriteString("description", About);
            Write(json, "directory", Columns(Resource("schema")), HeldWords.Directory);
            Write(json, "queues", Columns(QueueFile.Tables + SqlitePushOutbox.Tables), HeldWords.Queues);
            Write(json, "blobs", ConstantsOf(typeof(BlobAreas)), HeldWords.Blobs);
            Write(json, "hotStore", ConstantsOf(typeof(HotKeys)), HeldWords.HotStore);
            Write(json, "logs", LoggedValues(), HeldWords.Logs);
            Write(json, "metrics", [.. ConstantsOf(typeof(MetricLabels)), .. ConstantsOf(typeof(FrameworkLabels))], HeldWords.Metrics);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>Writes the names with their words.</summary>
    internal static void Write(Utf8JsonWriter json, string part, IReadOnlyList<string> names, IReadOnlyDictionary<string, HeldField> words)
    {
        var (untold, gone) = (names.Except(words.Keys).ToList(), words.Keys.Except(names).ToList());
        if (untold.Count + gone.Count > 0)
        {
            throw new SettingsException(
                $"data-held.json, {part}: HeldWords.cs says nothing of [{string.Join(", ", untold)}], and speaks of [{string.Join(", ", gone)}], which there is not.");
        }

        json.WriteStartArray(part);
        foreach (var name in names)
        {
            var (purpose, form, life) = words[name];
            json.WriteStartObject();
            json.WriteString("field", name);
            json.WriteString("purpose", purpose);
            json.WriteString("form", form);
            json.WriteString("life", life);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    // Asked of a database and not read out of the text, which may be written in many ways.
    private static List<string> Columns(string tables)
    {
        using var database = new SqliteConnection("Data Source=:memory:");
        database.Open();
        using var command = database.CreateCommand();
        command.CommandText = $"""
            {tables}
            SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.rowid, c.cid;
            """;
        using var rows = command.ExecuteReader();
        var columns = new List<string>();
        while (rows.Read())
        {
            columns.Add(rows.GetString(0));
        }

        return columns;
    }

    /// <summary>The names in a table of keys, areas or labels.</summary>
    internal static List<string> ConstantsOf(Type table) =>
        [.. table.GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => (string)field.GetRawConstantValue()!)];

    private static List<string> LoggedValues() =>
    [
        .. typeof(DataHeld).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>()?.Message)
            .OfType<string>()
            .SelectMany(message => Hole().Matches(message))
            .Select(match => match.Groups[1].Value)
            .Distinct()
            .Order(StringComparer.Ordinal),
    ];

    private static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(DataHeld).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    [GeneratedRegex("""\{([A-Za-z]+)[^}]*\}""")]
    private static partial Regex Hole();

    private const string About =
        "Every field that a secureChat server stores, what for, in which form, and for how long. Made by the build from the schema, the hot store's keys, "
        + "the log events and the labels of metrics.";

    private static readonly JsonWriterOptions Format =
        new() { Indented = true, IndentSize = 1, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
