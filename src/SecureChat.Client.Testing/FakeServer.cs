using System.Globalization;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Server.Accounts;
using SecureChat.Server.Senders;

namespace SecureChat.Client.Testing;

/// <summary>
/// A whole server inside the test's process, without ports: the real one, on a clock that the test rules and over a network that the test
/// can break. Limits are off. Its data folder goes with it.
/// </summary>
public sealed class FakeServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly DirectoryInfo _folder;

    private readonly CodeBox _codes;

    private FakeServer(WebApplication app, DirectoryInfo folder, TimeProvider time, CodeBox codes)
    {
        (_app, _folder, Time, _codes) = (app, folder, time, codes);
        var root = app.Services.GetRequiredService<SenderSigner>().Root;
        Address = new ServerAddress(new Uri("http://localhost/")) { TrustRoots = [root] };
        Network = new FaultyNetwork(app.GetTestServer());
    }

    /// <summary>What a client is given, with the server's own root of trust.</summary>
    public ServerAddress Address { get; }

    /// <summary>The way to this server, and how to break it.</summary>
    public FaultyNetwork Network { get; }

    /// <summary>The server's clock, for its clients too.</summary>
    public TimeProvider Time { get; }

    /// <summary>Where the server keeps everything that it has.</summary>
    public string DataFolder => _folder.FullName;

    /// <summary>Starts a server.</summary>
    /// <param name="time">Its clock; a <c>FakeTimeProvider</c> passes hours in no time.</param>
    /// <param name="settings">Settings of the server, as on its command line: <c>("Messages:Life", "00:30:00")</c>.</param>
    public static async Task<FakeServer> StartAsync(
        TimeProvider time, CancellationToken ct, params (string Name, string Value)[] settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var folder = Directory.CreateTempSubdirectory("securechat-fake-");
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Development" });
        var values = new Dictionary<string, string?>
        {
            ["Limits:Scale"] = "0",
            ["Storage:DataFolder"] = folder.FullName,
            ["Accounts:Registration"] = "invite",
        };
        foreach (var (name, value) in settings)
        {
            values[name] = value;
        }

        builder.Configuration.AddInMemoryCollection(values);
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddSingleton(time);
        var codes = new CodeBox();
        builder.Services.AddSingleton<IOtpProvider>(codes);
        Server.Program.AddServices(builder);
        var app = builder.Build();
        Server.Program.MapEndpoints(app);
        await app.StartAsync(ct);
        return new FakeServer(app, folder, time, codes);
    }

    /// <summary>An invite for one new account.</summary>
    public Task<string> CreateInviteAsync(CancellationToken ct) =>
        _app.Services.GetRequiredService<Invites>().CreateAsync(uses: 1, TimeSpan.FromDays(7), ct);

    /// <summary>Waits for the next one-time code that the server sends, to whomever.</summary>
    public Task<string> NextCodeAsync(CancellationToken ct) => _codes.Sent.Reader.ReadAsync(ct).AsTask();

    /// <summary>What a client of this server stands on.</summary>
    public ChatOptions OptionsFor(ILocalStore store) => new(Address, store) { Network = Network, Time = Time, OneTimeKeys = 10 };

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"A server in {_folder.Name}");

    private sealed class CodeBox : IOtpProvider
    {
        public Channel<string> Sent { get; } = System.Threading.Channels.Channel.CreateUnbounded<string>();

        public OtpChannel Channel => OtpChannel.Console;

        public Task SendAsync(OtpMessage message, CancellationToken ct) => Sent.Writer.WriteAsync(message.Code, ct).AsTask();
    }
}
