using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>A device that sleeps is woken, whatever happens to the server meanwhile.</summary>
public sealed class WakeUps(Worlds worlds, LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task Killing_the_server_loses_no_wake_up_and_sends_none_twice(StorePair stores)
    {
        var port = ChildProcess.FreePort();
        var address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/");
        using var service = new HttpListener { Prefixes = { address } };
        var taken = new ConcurrentQueue<string>();
        using var refused = new SemaphoreSlim(0);
        var isDown = true;
        service.Start();
        var serving = ServeAsync();
        await using var world = await worlds.StartAsync(stores, peer, Ct, settings: new Dictionary<string, string>
        {
            ["SECURECHAT_PUSH__ALLOWEDNETWORKS__0"] = "127.0.0.1/32",
            ["SECURECHAT_PUSH__ALLOWEDPORTS__0"] = port.ToString(CultureInfo.InvariantCulture),
        });
        var (alice, bob) = await world.FriendsAsync(Ct);
        await bob.Api.PutAsync("/v1/push", new { unifiedPush = new { endpoint = address + "bob" } }, Ct);
        await bob.DisconnectAsync();

        await alice.SendAsync(bob.Owner, "wake up", Ct, urgent: true);
        Assert.True(await refused.WaitAsync(TimeSpan.FromSeconds(20), Ct));
        await world.Server.KillAsync(Ct);
        isDown = false;
        await world.Server.StartAgainAsync(Ct);

        for (var i = 0; i < 1200 && taken.IsEmpty; i++)
        {
            await Task.Delay(100, Ct);
        }

        await Task.Delay(3000, Ct);
        Assert.Equal(["/bob"], taken);
        service.Stop();
        await serving;

        async Task ServeAsync()
        {
            while (service.IsListening)
            {
                try
                {
                    var push = await service.GetContextAsync();
                    await push.Request.InputStream.CopyToAsync(Stream.Null, Ct);
                    push.Response.StatusCode = isDown ? 503 : 201;
                    if (isDown)
                    {
                        refused.Release();
                    }
                    else
                    {
                        taken.Enqueue(push.Request.RawUrl!);
                    }

                    push.Response.Close();
                }
                catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
                {
                    return;
                }
            }
        }
    }
}
