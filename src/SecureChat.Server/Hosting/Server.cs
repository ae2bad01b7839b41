using System.Reflection;
using Microsoft.Extensions.Options;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Hosting;

/// <summary>From settings to a running server, with a sentence for everything that can go wrong on the way.</summary>
internal static class Server
{
    /// <summary>The released version, without the commit.</summary>
    public static string Version { get; } = typeof(Server).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>Runs until stopped; or, with <paramref name="checkOnly"/>, says whether it would.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> settings, bool checkOnly, CancellationToken ct)
    {
        await using var app = Build(settings);
        if (checkOnly)
        {
            Secrets.Check(
                app.Services.GetRequiredService<IOptions<SecretsOptions>>().Value,
                app.Services.GetRequiredService<IOptions<StorageOptions>>().Value.DataFolder);
            Terminal.WriteLine("The settings are good.");
            return 0;
        }

        if (!IsDescribed)
        {
            // Before anything listens: a refused secret must be the first thing said.
            app.Services.GetRequiredService<Secrets>();
        }

        await app.StartAsync(ct);
        if (!IsDescribed)
        {
            Announce(app);
        }

        await app.WaitForShutdownAsync(ct);
        return 0;
    }

    /// <summary>The composed server, not started yet.</summary>
    /// <param name="time">Null: the system's.</param>
    /// <exception cref="SettingsException">A setting or a secret is wrong.</exception>
    public static WebApplication Build(IReadOnlyList<string> settings, TimeProvider? time = null)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ContentRootPath = AppContext.BaseDirectory,
            ApplicationName = typeof(Server).Assembly.GetName().Name,
        });
        Settings.AddSources(builder.Configuration, settings);
        builder.Services.AddSingleton(time ?? TimeProvider.System);
        Program.AddServices(builder);
        builder.Host.UseDefaultServiceProvider(options => options.ValidateScopes = true);
        builder.WebHost.UseKestrelHttpsConfiguration();
        Listening.Configure(builder);

        if (IsDescribed)
        {
            KeepOnlyTheWebHost(builder.Services);
        }

        var app = builder.Build();
        if (Settings.Problems(app.Services, app.Configuration) is { Count: > 0 } problems)
        {
            throw new SettingsException(string.Join(Environment.NewLine, ["Some settings are wrong:", .. problems.Select(line => "  " + line)]));
        }

        Program.MapEndpoints(app);
        return app;
    }

    // The build starts the program to ask for its API description: nothing may be opened or made then.
    private static bool IsDescribed => Assembly.GetEntryAssembly()?.GetName().Name is "GetDocument.Insider";

    private static void KeepOnlyTheWebHost(IServiceCollection services)
    {
        foreach (var service in services.Where(service => service.ServiceType == typeof(IHostedService)).ToList())
        {
            if (service.ImplementationType?.Name is not "GenericWebHostService")
            {
                services.Remove(service);
            }
        }
    }

    private static void Announce(WebApplication app)
    {
        var server = app.Services.GetRequiredService<IOptions<ServerOptions>>().Value;
        var storage = app.Services.GetRequiredService<IOptions<StorageOptions>>().Value;
        Terminal.WriteLine($"secureChat {Version} ({app.Environment.EnvironmentName})");
        Terminal.WriteLine($"  API        {server.Api}");
        Terminal.WriteLine($"  WebSocket  {SocketUrl(server.Socket.Length > 0 ? server.Socket : server.Api)}");
        if (server.Management.Length > 0)
        {
            Terminal.WriteLine($"  Metrics    {server.Management}/metrics");
        }

        Terminal.WriteLine($"  Data       {Path.GetFullPath(storage.DataFolder)}");
        Terminal.WriteLine(
            $"  Stores     directory: {app.Services.GetRequiredService<Database>().Name}"
            + $", queues: {app.Services.GetRequiredService<IMessageQueue>().Name}"
            + $", short-lived state: {app.Services.GetRequiredService<IHotStore>().Name}"
            + $", files: {app.Services.GetRequiredService<IBlobStore>().Name}");
    }

    private static string SocketUrl(string url) => $"ws{url[4..]}/ws";
}
