using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Tests.Support;

/// <summary>One running server: the real composition, in this process, on a clock of its own.</summary>
/// <remarks>Rate limits are off unless a test sets <c>Limits:Scale</c>. Codes go to <see cref="Outbox"/> instead of the console.</remarks>
internal sealed class Node : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly string? _ownFolder;

    private Node(WebApplication app, FakeTimeProvider? clock, Outbox outbox, string? ownFolder)
    {
        (_app, Clock, Outbox, _ownFolder) = (app, clock!, outbox, ownFolder);
        Http = app.GetTestClient();
    }

    /// <summary>Sends requests without credentials.</summary>
    public HttpClient Http { get; }

    /// <summary>Opens sockets.</summary>
    public WebSocketClient Sockets => _app.GetTestServer().CreateWebSocketClient();

    /// <summary>Null if the node was started on the real clock.</summary>
    public FakeTimeProvider Clock { get; }

    public Outbox Outbox { get; }

    public static JsonSerializerOptions Json { get; } = StrictJson();

    public static async Task<Node> StartAsync(params (string Name, string Value)[] settings) =>
        await StartAsync(new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero)), settings);

    /// <summary>On shared stores the clock is the real one, because Redis keeps time itself.</summary>
    public static async Task<Node> StartAsync(Stores stores, params (string Name, string Value)[] settings) =>
        stores is Stores.Embedded
            ? await StartAsync(settings)
            : await StartAsync(clock: null, [.. await TemporaryServers.NewStoresAsync(), .. settings]);

    /// <param name="clock">Null: the real one.</param>
    public static Task<Node> StartAsync(FakeTimeProvider? clock, params (string Name, string Value)[] settings) =>
        StartAsync(clock, _ => { }, settings);

    /// <param name="clock">Null: the real one.</param>
    /// <param name="change">Takes or puts in the place of a service of the server's own.</param>
    public static async Task<Node> StartAsync(
        FakeTimeProvider? clock, Action<IServiceCollection> change, params (string Name, string Value)[] settings)
    {
        var environment = settings.LastOrDefault(setting => setting.Name is "Environment").Value ?? "Development";
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = environment });
        var ownFolder = settings.Any(setting => setting.Name is "Storage:DataFolder")
            ? null
            : Directory.CreateTempSubdirectory("securechat-test-").FullName;
        var values = new Dictionary<string, string?> { ["Limits:Scale"] = "0", ["Storage:DataFolder"] = ownFolder };
        foreach (var (name, value) in settings)
        {
            values[name] = value;
        }

        builder.Configuration.AddInMemoryCollection(values);
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Error).AddConsole();
        builder.WebHost.UseTestServer();
        if (clock is not null)
        {
            builder.Services.AddSingleton<TimeProvider>(clock);
        }

        Program.AddServices(builder);
        var outbox = new Outbox();
        builder.Services.Remove(builder.Services.Single(service => service.ImplementationType == typeof(ConsoleOtp)));
        builder.Services.AddSingleton<IOtpProvider>(outbox);
        change(builder.Services);
        var app = builder.Build();
        Program.MapEndpoints(app);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new Node(app, clock, outbox, ownFolder);
    }

    public T Get<T>()
        where T : notnull => _app.Services.GetRequiredService<T>();

    /// <summary>Lets days pass, of which every timer sees the last five minutes: to run every sweep of months takes minutes.</summary>
    public void SkipDays(int days)
    {
        var seen = TimeSpan.FromMinutes(5);
        Clock.AdjustTime(Clock.GetUtcNow() + TimeSpan.FromDays(days) - seen);
        Clock.Advance(seen);
    }

    /// <summary>Sends requests with an access token.</summary>
    public HttpClient As(string accessToken)
    {
        var http = _app.GetTestClient();
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", accessToken);
        return http;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync(TestContext.Current.CancellationToken);
        await _app.DisposeAsync();
        if (_ownFolder is not null)
        {
            Directory.Delete(_ownFolder, recursive: true);
        }
    }

    private static JsonSerializerOptions StrictJson()
    {
        var options = new JsonSerializerOptions { TypeInfoResolver = new DefaultJsonTypeInfoResolver() };
        ProtocolJson.Apply(options);
        return options;
    }
}

/// <summary>Requests with JSON bodies, and what their answers say.</summary>
internal static class HttpExtensions
{
    public static Task<HttpResponseMessage> SendAsync<T>(this HttpClient http, HttpMethod method, string path, T body) =>
        http.SendAsync(
            new HttpRequestMessage(method, path) { Content = JsonContent.Create(body, options: Node.Json) },
            TestContext.Current.CancellationToken);

    public static Task<HttpResponseMessage> PostAsync<T>(this HttpClient http, string path, T body) =>
        http.SendAsync(HttpMethod.Post, path, body);

    public static async Task<T> ReadAsync<T>(this HttpResponseMessage response)
    {
        Assert.True(response.IsSuccessStatusCode, await response.TextAsync());
        return (await response.Content.ReadFromJsonAsync<T>(Node.Json, TestContext.Current.CancellationToken))!;
    }

    public static Task<string> TextAsync(this HttpResponseMessage response) =>
        response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

    /// <summary>The status and the code of a problem, as in <c>403 wrong_code</c>; or the status alone.</summary>
    public static async Task<string> OutcomeAsync(this HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        if (response.IsSuccessStatusCode)
        {
            return $"{status}";
        }

        using var problem = JsonDocument.Parse(await response.TextAsync());
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        return $"{status} {problem.RootElement.GetProperty("code").GetString()}";
    }
}
