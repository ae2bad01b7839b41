using System.Net.Http.Headers;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using SecureChat.Protocol;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Support;

/// <summary>One running server on real loopback ports: what sockets are tested against.</summary>
internal sealed class LoopbackNode : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly DirectoryInfo _folder;

    private LoopbackNode(WebApplication app, DirectoryInfo folder, int apiPort, int socketPort) =>
        (_app, _folder, ApiPort, SocketPort) = (app, folder, apiPort, socketPort);

    /// <summary>Its data folder, which other nodes share to have the same secrets.</summary>
    public string Folder => _folder.FullName;

    public int ApiPort { get; }

    public int SocketPort { get; }

    /// <summary>On the real clock.</summary>
    public static Task<LoopbackNode> StartAsync(params string[] settings) => StartAsync(TimeProvider.System, settings);

    public static async Task<LoopbackNode> StartAsync(TimeProvider time, params string[] settings)
    {
        var folder = Directory.CreateTempSubdirectory("securechat-node-");
        var (api, socket) = (ChildProcess.FreePort(), ChildProcess.FreePort());
        var app = Server.Hosting.Server.Build(
        [
            $"--Storage:DataFolder={folder.FullName}", $"--Server:Api=http://127.0.0.1:{api}",
            $"--Server:Socket=http://127.0.0.1:{socket}", "--Server:Management=", "--Server:DrainSeconds=3", "--Limits:Scale=0", .. settings,
        ], time);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new LoopbackNode(app, folder, api, socket);
    }

    public T Get<T>()
        where T : notnull => _app.Services.GetRequiredService<T>();

    /// <summary>An account with the given devices, straight in the directory.</summary>
    public async Task<ChatDevice[]> NewAccountAsync(params int[] devices)
    {
        var (db, account) = (Get<Database>(), Ids.New());
        var identity = RandomNumberGenerator.GetBytes(33);
        await db.ExecuteAsync($"""
            INSERT INTO accounts (account, identity_key, discoverable, lock_failures, created_day, last_seen_day)
            VALUES ({account}, {identity}, {false}, {0L}, {1L}, {1L})
            """, TestContext.Current.CancellationToken);
        var made = new List<ChatDevice>();
        foreach (var device in devices)
        {
            var epoch = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(8)) & long.MaxValue;
            var registrationId = RandomNumberGenerator.GetInt32(1, Limits.MaxRegistrationId + 1);
            await db.ExecuteAsync($"""
                INSERT INTO devices (account, device, epoch, registration_id, capabilities, created_day, last_seen_day)
                VALUES ({account}, {(long)device}, {epoch}, {(long)registrationId}, {""}, {1L}, {1L})
                """, TestContext.Current.CancellationToken);
            var address = new DeviceAddress(account, device);
            made.Add(new ChatDevice(address, registrationId, epoch, Get<AccessTokens>().Issue(address, epoch)));
        }

        return [.. made];
    }

    public async Task<ChatDevice> NewDeviceAsync() => (await NewAccountAsync(1))[0];

    /// <summary>Sends requests as a device.</summary>
    public HttpClient As(ChatDevice device)
    {
        var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{ApiPort}") };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", device.AccessToken);
        return http;
    }

    public Task StopAsync() => _app.StopAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}

/// <summary>A device that exists, and how it proves who it is.</summary>
internal sealed record ChatDevice(DeviceAddress Address, int RegistrationId, long Epoch, string AccessToken);
