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
        await using var service = new PushService { IsDown = true };
        await using var world = await worlds.StartAsync(stores, peer, Ct, settings: new Dictionary<string, string>
        {
            ["SECURECHAT_PUSH__ALLOWEDNETWORKS__0"] = "127.0.0.1/32",
            ["SECURECHAT_PUSH__ALLOWEDPORTS__0"] = service.Port.ToString(CultureInfo.InvariantCulture),
        });
        var (alice, bob) = await world.FriendsAsync(Ct);
        await bob.Api.PutAsync("/v1/push", new { unifiedPush = new { endpoint = service.Address + "bob" } }, Ct);
        await bob.DisconnectAsync();

        await alice.SendAsync(bob.Owner, "wake up", Ct, urgent: true);
        await UntilAsync(() => !service.Refused.IsEmpty);
        await world.Server.KillAsync(Ct);
        service.IsDown = false;
        await world.Server.StartAgainAsync(Ct);
        await UntilAsync(() => !service.Taken.IsEmpty);
        await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System, Ct);

        Assert.Equal(["/bob"], service.Taken);
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        for (var i = 0; i < 1200 && !isSo(); i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Ct);
        }

        Assert.True(isSo(), "It did not happen within two minutes.");
    }

    /// <summary>Takes pushes, or refuses them as a service does that is down.</summary>
    private sealed class PushService : IAsyncDisposable
    {
        private readonly HttpListener _http = new();
        private readonly Task _serving;

        public PushService()
        {
            _http.Prefixes.Add(Address);
            _http.Start();
            _serving = ServeAsync();
        }

        public int Port { get; } = ChildProcess.FreePort();

        public string Address => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{Port}/");

        public bool IsDown { get; set; }

        public ConcurrentQueue<string> Refused { get; } = [];

        public ConcurrentQueue<string> Taken { get; } = [];

        public async ValueTask DisposeAsync()
        {
            _http.Close();
            await _serving;
        }

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    var push = await _http.GetContextAsync();
                    await push.Request.InputStream.CopyToAsync(Stream.Null, CancellationToken.None);
                    push.Response.StatusCode = IsDown ? 503 : 201;
                    (IsDown ? Refused : Taken).Enqueue(push.Request.RawUrl!);
                    push.Response.Close();
                }
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                // Closed.
            }
        }
    }
}
