using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using SecureChat.Protocol;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Backups;
using SecureChat.Server.CallDemo;
using SecureChat.Server.Calls;
using SecureChat.Server.Connections;
using SecureChat.Server.Groups;
using SecureChat.Server.Health;
using SecureChat.Server.Hosting;
using SecureChat.Server.Keys;
using SecureChat.Server.Media;
using SecureChat.Server.Messages;
using SecureChat.Server.Push;
using SecureChat.Server.Senders;
using SecureChat.Server.Storage;

namespace SecureChat.Server;

/// <summary>Table of contents: the commands, the services of every slice, the routes of every slice.</summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        // Read once, before the first socket: docs/decisions/0030-runtime-settings.md.
        const string inline = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";
        Environment.SetEnvironmentVariable(inline, Environment.GetEnvironmentVariable(inline) ?? "1");
        return CommandLine.Run(
            args, HealthCommand.Create(), DataHeldCommand.Create(), InviteCommand.Create(), KeysCommand.Create(), ReportsCommand.Create(), RestoredCommand.Create(), AnomaliesCommand.Create());
    }

    /// <summary>The services of every slice; tests start the same server.</summary>
    internal static void AddServices(IHostApplicationBuilder builder)
    {
        // The framework logs every request's URL by default.
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);

        // Its scope would put the path, which a stranger may fill with anything, beside every line of a request.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);

        builder.Services.AddSingleton<IExternalScopeProvider, NoScopes>();

        // What stops the start is told on the terminal, in a sentence.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        builder.Services.ConfigureHttpJsonOptions(options => ProtocolJson.Apply(options.SerializerOptions));
        builder.Services.AddSettings<ServerOptions, ServerOptionsValidator>("Server");
        builder.Services.AddPipeline();
        builder.Services.AddServerMetrics();
        builder.Services.AddApiDescription();
        builder.AddStorage();
        builder.AddAbuse();
        builder.AddAccounts();
        builder.AddKeys();
        builder.AddSenders();
        builder.AddConnections();
        builder.AddMessages();
        builder.AddPush();
        builder.AddGroups();
        builder.AddMedia();
        builder.AddBackups();
        builder.AddCalls();
    }

    /// <summary>The port of its own that the socket has.</summary>
    /// <remarks>The handler is made with the first connection: this runs before the settings are checked, and it reads them.</remarks>
    internal static void ServeSockets(ListenOptions listen) => listen.Run(
        connection => listen.ApplicationServices.GetRequiredService<SocketHandler>().OnConnectedAsync(connection));

    /// <summary>The pipeline and the routes of every slice.</summary>
    internal static void MapEndpoints(WebApplication app)
    {
        app.UsePipeline();
        app.MapApiDescription();
        app.MapHealth();
        app.MapAccounts();
        app.MapKeys();
        app.MapSenders();
        app.MapConnections();
        app.MapMessages();
        app.MapPush();
        app.MapGroups();
        app.MapCalls();
        app.MapCallDemo();
        app.MapMedia();
        app.MapBackups();
    }
}
