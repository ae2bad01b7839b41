using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using SecureChat.Server.Push;

namespace SecureChat.Server.Tests.Push;

/// <summary>T16: endpoints are URLs that users give; none of them reaches the operator's own network.</summary>
public sealed class EndpointGuardTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // PORT is that of a trap on every local address.
    private static readonly string[] InsideHosts =
    [
        "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0x7f000001", "0x7f.1", "2130706433", "017700000001", "0177.0.0.1", "127.0.0.1.",
        "localhost", "LOCALHOST", "localhost.", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
        "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[::]", "0.0.0.0", "0", "0.0.0.1",
        "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "100.64.0.1", "100.127.255.254",
        "169.254.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "[fd00:ec2::254]", "[fe80::1]", "[fe80::1%25lo]",
        "[fec0::1]", "[fc00::1]", "[fdff::1]", "192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255",
        "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "[ff02::1]", "[ff0e::1]", "[2001:db8::1]", "[2001::1]",
        "[2001:2::1]", "[2001:10::1]", "[2001:20::1]", "[3fff::1]", "[100::1]", "[5f00::1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]",
        "[2002:a00:1::]", "[2002:c0a8:1::1]", "[4000::1]",
        "loopback.example", "loopback6.example", "mapped.example", "translated.example", "private.example", "metadata.example", "nothing.example",
    ];

    private static readonly string[] MalformedUrls =
    [
        "", " ", "https://", "https:///x", "//127.0.0.1:PORT/", "/etc/passwd", "file:///etc/passwd", "ftp://public.example:PORT/", "gopher://127.0.0.1:PORT/",
        "unix:///run/docker.sock", "javascript:alert(1)", "data:text/plain,x", "ws://public.example:PORT/", "http://public.example:PORT/", "http://public.example/",
        "https://public.example@127.0.0.1:PORT/", "https://user:password@public.example/", "https://public.example:22/", "https://public.example:6379/",
        "https://public.example/#x", "https://public.example\\@127.0.0.1:PORT/", "https://public.example/ x", "https://public.example/\r\nHost: x",
        "https://①②⑦.⓪.⓪.①:PORT/", "https://ｌocalhost:PORT/", "https://127.0.0.1:PORT\t/", "https://public.example:0/", "https://public.example:65536/",
    ];

    [Fact]
    public async Task T16_no_form_of_an_inside_address_is_ever_connected_to()
    {
        await using var trap = new Trap(IPAddress.Any);
        var guard = Guard(InsideNames, ports: trap.Port);
        using var http = guard.CreateClient();
        var tried = 0;

        foreach (var host in InsideHosts)
        {
            foreach (var scheme in (string[])["https", "http"])
            {
                // Past the check of the text, so that the check of the address stands alone.
                if (Uri.TryCreate($"{scheme}://{host}:{trap.Port}/", UriKind.Absolute, out var url))
                {
                    tried++;
                    var refused = await Assert.ThrowsAsync<HttpRequestException>(() => http.PostAsync(url, null, Ct));
                    Assert.True(refused.GetBaseException() is BlockedEndpointException, $"{url}: {refused.GetBaseException().Message}");
                }
            }
        }

        Assert.True(tried > 120, $"Only {tried} were tried.");
        Assert.Equal(0, trap.Connections);
        await trap.ProveAsync();
    }

    [Fact]
    public void T16_what_is_no_plain_https_url_on_an_allowed_port_is_refused_before_anything_is_looked_up()
    {
        var guard = Guard((_, _) => throw new InvalidOperationException("Looked up."), ports: 8443);

        Assert.All(MalformedUrls, text => Assert.False(guard.Accepts(text.Replace("PORT", "8443", StringComparison.Ordinal), out _), text));
        Assert.All(
            InsideHosts.Where(host => IPAddress.TryParse(host.Trim('[', ']'), out _)),
            host => Assert.False(guard.Accepts($"https://{host}/", out _), host));
        Assert.False(guard.Accepts("https://public.example/" + new string('x', 1024), out _));
        Assert.All(
            (string[])["https://public.example/", "https://public.example:8443/x?y=z", "https://[2606:4700::1111]/x", "https://1.1.1.1/x"],
            text => Assert.True(guard.Accepts(text, out _), text));
    }

    [Fact]
    public async Task T16_a_name_that_changes_its_address_after_the_check_gains_nothing()
    {
        await using var service = await FakePushService.StartAsync(address: "127.0.0.2");
        await using var trap = new Trap(IPAddress.Loopback, service.Port);
        var lookUps = 0;
        Task<IPAddress[]> Rebinding(string host, CancellationToken ct) => Task.FromResult<IPAddress[]>(
            [IPAddress.Parse(Interlocked.Increment(ref lookUps) == 1 ? "127.0.0.2" : "127.0.0.1")]);
        using var http = Guard(Rebinding, service.Port, "127.0.0.2").CreateClient();
        service.Answer = (_, context) =>
        {
            context.Response.Headers.Connection = "close";
            return Task.CompletedTask;
        };
        var url = new Uri($"http://rebinding.example:{service.Port}/");

        using var first = await http.PostAsync(url, null, Ct);
        var second = await Assert.ThrowsAsync<HttpRequestException>(() => http.PostAsync(url, null, Ct));

        Assert.IsType<BlockedEndpointException>(second.GetBaseException());
        Assert.Equal((1, 2, 0), (service.Received.Count, lookUps, trap.Connections));
        await trap.ProveAsync();
    }

    [Fact]
    public async Task T16_of_several_addresses_only_those_that_may_be_reached_are_tried()
    {
        await using var service = await FakePushService.StartAsync(address: "127.0.0.2");
        await using var trap = new Trap(IPAddress.Loopback, service.Port);
        Task<IPAddress[]> Mixed(string host, CancellationToken ct) => Task.FromResult(
            Array.ConvertAll<string, IPAddress>(["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.0.0.2"], IPAddress.Parse));
        using var http = Guard(Mixed, service.Port, "127.0.0.2").CreateClient();

        using var answer = await http.PostAsync(new Uri($"http://mixed.example:{service.Port}/"), null, Ct);

        Assert.Equal((1, 0), (service.Received.Count, trap.Connections));
        await trap.ProveAsync();
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task T16_a_redirect_is_not_followed(int status)
    {
        await using var service = await FakePushService.StartAsync(address: "127.0.0.2");
        await using var trap = new Trap(IPAddress.Loopback, service.Port);
        service.Answer = (_, context) =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.Location = $"http://127.0.0.1:{trap.Port}/";
            return Task.CompletedTask;
        };
        using var http = Guard(InsideNames, service.Port, "127.0.0.2").CreateClient();

        using var answer = await http.PostAsync(new Uri($"http://127.0.0.2:{service.Port}/"), null, Ct);

        Assert.Equal((status, 1, 0), ((int)answer.StatusCode, service.Received.Count, trap.Connections));
        await trap.ProveAsync();
    }

    [Fact]
    public async Task An_answer_that_never_ends_is_not_read()
    {
        // Not Kestrel: it goes on counting what it writes to a connection that is gone.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var written = WriteWithoutEndAsync(listener, Ct);
        using (var http = Guard(InsideNames, port, "127.0.0.1").CreateClient())
        using (await http.SendAsync(new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{port}/"), HttpCompletionOption.ResponseHeadersRead, Ct))
        {
        }

        Assert.InRange(await written.WaitAsync(TimeSpan.FromSeconds(20), Ct), 1, 32 << 20);
    }

    private static async Task<long> WriteWithoutEndAsync(TcpListener listener, CancellationToken ct)
    {
        using var client = await listener.AcceptTcpClientAsync(ct);
        await using var stream = client.GetStream();
        var written = 0L;
        try
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"u8.ToArray(), ct);
            while (true)
            {
                await stream.WriteAsync(new byte[4096], ct);
                written += 4096;
            }
        }
        catch (IOException)
        {
            return written;
        }
    }

    private static EndpointGuard Guard(ResolveHost resolve, int ports, params string[] networks) =>
        new(resolve, Options.Create(new PushOptions { AllowedPorts = [ports], AllowedNetworks = networks }));

    private static Task<IPAddress[]> InsideNames(string host, CancellationToken ct) => Task.FromResult(host switch
    {
        "loopback6.example" => [IPAddress.IPv6Loopback],
        "mapped.example" => [IPAddress.Parse("::ffff:127.0.0.1")],
        "translated.example" => [IPAddress.Parse("64:ff9b::7f00:1"), IPAddress.Parse("2002:7f00:1::")],
        "private.example" => [IPAddress.Parse("10.1.2.3"), IPAddress.Parse("fd12::1")],
        "metadata.example" => [IPAddress.Parse("169.254.169.254")],
        "nothing.example" => [],
        _ => (IPAddress[])[IPAddress.Loopback],
    });

    /// <summary>Listens where nothing may arrive, and counts what does.</summary>
    private sealed class Trap : IAsyncDisposable
    {
        private readonly TcpListener _listener;
        private readonly Task _accepting;
        private int _connections;

        public Trap(IPAddress address, int port = 0)
        {
            _listener = new TcpListener(address, port);
            _listener.Start();
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
            _accepting = AcceptAsync();
        }

        public int Port { get; }

        public int Connections => Volatile.Read(ref _connections);

        /// <summary>Shows that it would have noticed.</summary>
        public async Task ProveAsync()
        {
            var before = Connections;
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, Port, Ct);
            for (var i = 0; i < 500 && Connections == before; i++)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Ct);
            }

            Assert.Equal(before + 1, Connections);
        }

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            await _accepting;
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    using var client = await _listener.AcceptSocketAsync();
                    Interlocked.Increment(ref _connections);
                }
            }
            catch (Exception e) when (e is SocketException or InvalidOperationException)
            {
                // Disposed.
            }
        }
    }
}
