using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Push;

/// <summary>A push service on a loopback port: takes down what arrives and answers as it is told.</summary>
internal sealed class FakePushService : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<ReceivedPush> _received = new();

    private FakePushService(WebApplication app, int port) => (_app, Port) = (app, port);

    public int Port { get; }

    public string Url => $"http://127.0.0.1:{Port}";

    /// <summary>Writes the answer; without it 201.</summary>
    public Func<ReceivedPush, HttpContext, Task> Answer { get; set; } = (_, context) =>
    {
        context.Response.StatusCode = 201;
        return Task.CompletedTask;
    };

    public IReadOnlyList<ReceivedPush> Received => [.. _received];

    /// <summary>Settings under which a node may push to it.</summary>
    public (string Name, string Value)[] Settings =>
        [("Push:AllowedNetworks:0", "127.0.0.0/8"), ("Push:AllowedPorts:0", $"{Port}")];

    public string[] Arguments => [.. Settings.Select(setting => $"--{setting.Name}={setting.Value}")];

    public static async Task<FakePushService> StartAsync(
        HttpProtocols protocols = HttpProtocols.Http1, string address = "127.0.0.1", X509Certificate2? certificate = null)
    {
        var builder = WebApplication.CreateBuilder();
        var port = ChildProcess.FreePort();
        var at = IPAddress.Parse(address);
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(at, port, listen =>
        {
            listen.Protocols = protocols;
            if (certificate is not null)
            {
                listen.UseHttps(certificate);
            }
        }));
        var app = builder.Build();
        var service = new FakePushService(app, port);
        app.Run(service.TakeAsync);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return service;
    }

    /// <summary>All that arrived, once it is so many.</summary>
    public async Task<IReadOnlyList<ReceivedPush>> WaitAsync(int count)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(30));
        while (_received.Count < count)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, patience.Token);
        }

        return Received;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var received = new ReceivedPush(
            context.Request.Method,
            context.Request.Path + context.Request.QueryString,
            context.Request.Protocol,
            context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            body.ToArray());
        _received.Enqueue(received);
        await Answer(received, context);
    }
}

/// <summary>One request as it arrived.</summary>
internal sealed record ReceivedPush(
    string Method, string Path, string Protocol, IReadOnlyDictionary<string, string> Headers, byte[] Body);
