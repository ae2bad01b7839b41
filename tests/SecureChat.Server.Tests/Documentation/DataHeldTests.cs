using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using SecureChat.Server.Health;
using SecureChat.Server.Hosting;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Architecture;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;
using StackExchange.Redis;

namespace SecureChat.Server.Tests.Documentation;

/// <summary>What the server says that it stores is what it stores: no field more, and none less.</summary>
public sealed partial class DataHeldTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_column_of_both_databases_is_listed()
    {
        await using var node = await LoopbackNode.StartAsync();
        var held = await HeldAsync(node);

        // The journal of migrations names scripts and nothing else.
        Assert.Equal(
            Columns(Path.Combine(node.Folder, "directory.db")).Where(name => !name.StartsWith("SchemaVersions.", StringComparison.Ordinal)).Order(),
            held["directory"].Order());
        Assert.Equal(
            Directory.GetFiles(node.Folder, "*.db").Where(file => !file.EndsWith("directory.db", StringComparison.Ordinal))
                .SelectMany(Columns).Order(),
            held["queues"].Order());
    }

    [Fact]
    public async Task Every_name_in_the_hot_store_is_listed()
    {
        await using var redis = await TemporaryRedis.StartAsync(Ct);
        await using var node = await LoopbackNode.StartAsync($"--Storage:Redis={redis.ConnectionString}", "--Limits:Scale=1");
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        await from.SendMessageAsync(ChatSocket.Message("waits", bob));
        Assert.NotNull((await from.NextAsync()).Accepted);
        using var http = node.As(alice);
        Assert.Equal("200", await (await http.PostAsync("/v1/auth/ws-ticket", null, Ct)).OutcomeAsync());
        Assert.Equal("200", await (await http.PostAsync("/v1/devices/link-code", null, Ct)).OutcomeAsync());
        var held = await HeldAsync(node);

        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var kept = connection.GetServers()[0].Keys(pattern: "*").Select(key => Prefix(key.ToString())).Distinct().ToList();

        Assert.Superset(new HashSet<string> { "limit", "presence", "ticket", "link", "m", "q", "s", "queues" }, kept.ToHashSet());
        Assert.Empty(kept.Except(held["hotStore"]));
    }

    [Fact]
    public void No_key_of_the_hot_store_and_no_label_is_spelled_outside_of_the_tables_that_the_document_is_made_from()
    {
        var (keys, sources) = (DataHeld.ConstantsOf(typeof(HotKeys)), Texts());

        Assert.Empty(sources.SelectMany(text => KeyName().Matches(text)).Select(match => match.Value));
        Assert.All(keys, key => Assert.DoesNotContain(sources, text => Regex.IsMatch(text, $"""\x22{key}:[^\x22]*\x22(?!u8)""")));
        Assert.Empty(sources.SelectMany(text => SpelledLabel().Matches(text)).Select(match => match.Value));
    }

    [Fact]
    public void What_nothing_is_said_of_and_what_is_said_of_nothing_stops_the_build()
    {
        var words = new Dictionary<string, HeldField> { ["a"] = new("p", "f", "l"), ["b"] = new("p", "f", "l") };

        Assert.Contains("nothing of [c]", Refused(["a", "b", "c"], words), StringComparison.Ordinal);
        Assert.Contains("speaks of [b]", Refused(["a"], words), StringComparison.Ordinal);
        Assert.Equal(""" "part":[{"field":"a","purpose":"p","form":"f","life":"l"},{"field":"b","purpose":"p","form":"f","life":"l"}] """.Trim(), Written(["a", "b"], words));
    }

    [Fact]
    public async Task The_document_beside_the_docs_is_the_one_that_a_server_answers()
    {
        await using var node = await LoopbackNode.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{node.ApiPort}") };

        using var answer = await http.GetAsync(new Uri("/.well-known/data-held.json", UriKind.Relative), Ct);

        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal(
            (await File.ReadAllTextAsync(Path.Combine(Sources.Root, "docs/data-held.json"), Ct)).TrimEnd(), await answer.Content.ReadAsStringAsync(Ct));
    }

    [Theory, InlineData("What Redis holds; every key"), InlineData("## Keys in Redis")]
    public async Task Every_name_in_the_hot_store_is_in_the_operators_manual(string above)
    {
        await using var node = await LoopbackNode.StartAsync();
        var held = await HeldAsync(node);
        var lines = (await File.ReadAllLinesAsync(Path.Combine(Sources.Root, "docs/operating.md"), Ct)).SkipWhile(
            line => !line.StartsWith(above, StringComparison.Ordinal)).SkipWhile(line => !line.StartsWith('|')).TakeWhile(line => line.StartsWith('|'));

        var told = lines.Skip(2).SelectMany(line => Quoted().Matches(line.Split('|')[1])).Select(match => Prefix(match.Groups[1].Value));

        // Channels keep nothing; one of the two tables lists them.
        Assert.Equal(held["hotStore"].Except(Channels).Order(), told.Except(Channels).Distinct().Order());
    }

    [Fact]
    public async Task Every_value_in_a_log_and_every_label_of_a_metric_is_listed()
    {
        await using var node = await LoopbackNode.StartAsync();
        var held = await HeldAsync(node);
        var sources = Texts();

        var logged = sources.SelectMany(text => LogEvent().Matches(text))
            .SelectMany(match => LogValue().Matches(match.Value)).Select(match => match.Groups[1].Value).Distinct();
        var labels = sources.SelectMany(text => Label().Matches(text)).Select(match => match.Groups[1].Value.ToLowerInvariant()).Distinct();

        Assert.Equal(logged.Order(), held["logs"].Order());
        Assert.Equal(labels.Order(), held["metrics"].Except(DataHeld.ConstantsOf(typeof(FrameworkLabels))).Order());
    }

    [Fact]
    public async Task Every_label_that_the_operator_is_really_shown_is_listed()
    {
        var port = ChildProcess.FreePort();
        await using var node = await LoopbackNode.StartAsync($"--Server:Management=http://127.0.0.1:{port}", "--Limits:Scale=1");
        using var http = node.As(await node.NewDeviceAsync());
        foreach (var path in new[] { "/v1/devices", "/v1/nothing", "/.well-known/jwks.json" })
        {
            using var answer = await http.GetAsync(new Uri(path, UriKind.Relative), Ct);
        }

        var shown = Shown().Matches(await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"), Ct))
            .Select(match => match.Groups[1].Value).Distinct().ToList();

        Assert.Empty(shown.Except((await HeldAsync(node))["metrics"]));
        Assert.Empty(DataHeld.ConstantsOf(typeof(FrameworkLabels)).Except(shown).Except(OfFailures));
    }

    // Shown once something failed, perhaps in another test, or speaks something else than HTTP.
    private static readonly string[] OfFailures = [FrameworkLabels.ErrorType, FrameworkLabels.NetworkProtocolName];

    private static readonly string[] Channels = ["node", "accounts", "anomalies"];

    private static async Task<Dictionary<string, List<string>>> HeldAsync(LoopbackNode node)
    {
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{node.ApiPort}") };
        using var page = JsonDocument.Parse(await http.GetStringAsync(new Uri("/.well-known/data-held.json", UriKind.Relative), Ct));
        Assert.All(
            page.RootElement.EnumerateObject().Where(part => part.Value.ValueKind is JsonValueKind.Array).SelectMany(part => part.Value.EnumerateArray()),
            entry => Assert.All(["field", "purpose", "form", "life"], name => Assert.NotEmpty(entry.GetProperty(name).GetString()!)));
        return page.RootElement.EnumerateObject().Where(part => part.Value.ValueKind is JsonValueKind.Array).ToDictionary(
            part => part.Name, part => part.Value.EnumerateArray().Select(entry => entry.GetProperty("field").GetString()!).ToList());
    }

    private static string Refused(string[] names, Dictionary<string, HeldField> words) =>
        Assert.Throws<SettingsException>(() => Written(names, words)).Message;

    private static string Written(string[] names, Dictionary<string, HeldField> words)
    {
        using var written = new MemoryStream();
        using (var json = new Utf8JsonWriter(written, new JsonWriterOptions { SkipValidation = true }))
        {
            DataHeld.Write(json, "part", names, words);
        }

        return Encoding.UTF8.GetString(written.ToArray());
    }

    private static List<string> Texts() =>
        [.. Sources.Under("src/SecureChat.Server").Select(file => File.ReadAllText(Path.Combine(Sources.Root, file)))];

    private static List<string> Columns(string file)
    {
        using var database = new SqliteConnection($"Data Source={file};Mode=ReadOnly;Pooling=False");
        database.Open();
        using var command = database.CreateCommand();
        command.CommandText = """
            SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
            WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'
            """;
        using var reader = command.ExecuteReader();
        var columns = new List<string>();
        while (reader.Read())
        {
            columns.Add(reader.GetString(0));
        }

        return columns;
    }

    private static string Prefix(string key) => key.Split(':')[0].Trim('{', '}');

    [GeneratedRegex("""\$"([a-z-]+):\{""")]
    private static partial Regex KeyName();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex("""\[LoggerMessage\([^\]]*\)\]""")]
    private static partial Regex LogEvent();

    [GeneratedRegex("""\{([A-Z][A-Za-z]*)\}""")]
    private static partial Regex LogValue();

    [GeneratedRegex("""[{,]([A-Za-z_][A-Za-z0-9_]*)=\x22""")]
    private static partial Regex Shown();

    [GeneratedRegex("""KeyValuePair<string, object\?>\(MetricLabels\.([A-Za-z]+),""")]
    private static partial Regex Label();

    [GeneratedRegex("""KeyValuePair<string, object\?>\((?!MetricLabels\.)[^)]*\)""")]
    private static partial Regex SpelledLabel();
}
