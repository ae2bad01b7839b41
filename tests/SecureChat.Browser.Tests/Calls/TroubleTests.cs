using System.Text.Json.Nodes;
using Microsoft.Playwright;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>Calls on a bad line, with two who speak at once, and with somebody in the middle.</summary>
[Collection(nameof(CallSite))]
public sealed class TroubleTests(CallSite site)
{
    private const string OtherCertificate =
        "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

    // Media flows within a second where nobody is in the middle.
    private static readonly TimeSpan LongEnough = TimeSpan.FromSeconds(3);

    [Fact]
    public async Task When_both_offer_at_once_one_takes_its_offer_back_and_the_call_comes_up()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        await using var line = new SlowLine();
        await line.PutBetweenAsync(alice.Page);
        await line.PutBetweenAsync(bob.Page);
        var secret = CallPage.NewSecret();

        // Each is told that the other was there before, and so each offers; signals take their time, so that both offers are on their way.
        await alice.JoinAsync(secret, "Alice");
        await bob.JoinAsync(secret, "Bob");
        await Task.WhenAll(alice.SeesAsync(1), bob.SeesAsync(1));
        await Task.WhenAll(alice.DecodesMoreThanAsync(0), bob.DecodesMoreThanAsync(0));

        int[] connections = [await alice.Page.EvaluateAsync<int>("seen.connections.length"), await bob.Page.EvaluateAsync<int>("seen.connections.length")];
        Assert.Equal([1, 2], connections.Order());
    }

    [Fact]
    public async Task A_socket_that_drops_during_set_up_comes_back_and_the_call_comes_up()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        var (sockets, signals) = (0, 0);
        await bob.Page.RouteWebSocketAsync("**/ws/rooms", near =>
        {
            var far = near.ConnectToServer();
            var isFirst = Interlocked.Increment(ref sockets) is 1;
            near.OnMessage(message =>
            {
                // The greeting gets through; the offer is lost, and the line with it.
                if (isFirst && message.Text!.Contains("signal", StringComparison.Ordinal) && Interlocked.Increment(ref signals) > 1)
                {
                    _ = far.CloseAsync();
                    _ = near.CloseAsync(new WebSocketRouteCloseOptions { Code = 3000 });
                    return;
                }

                far.Send(message.Text!);
            });
        });
        var secret = CallPage.NewSecret();

        await alice.JoinAsync(secret, "Alice");
        await alice.UntilAsync("document.querySelector('#status').textContent.startsWith('Nobody')");
        await bob.JoinAsync(secret, "Bob");
        await Task.WhenAll(alice.SeesAsync(1), bob.SeesAsync(1));
        await Task.WhenAll(alice.DecodesMoreThanAsync(0), bob.DecodesMoreThanAsync(0));

        Assert.Equal(2, sockets);
        Assert.Equal(1, await alice.Page.Locator(".tile:not(.self)").CountAsync());
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(1)]
    public async Task T11_a_server_that_alters_signals_gets_no_call_and_is_found_out(double place)
    {
        await using var alice = await site.NewPageAsync(CallPage.PacketCounter);
        await using var bob = await site.NewPageAsync(CallPage.PacketCounter);
        await bob.Page.RouteWebSocketAsync("**/ws/rooms", near =>
        {
            var far = near.ConnectToServer();
            far.OnMessage(message => near.Send(Altered(message.Text!, place)));
        });
        var secret = CallPage.NewSecret();

        await alice.JoinAsync(secret, "Alice");
        await alice.UntilAsync("document.querySelector('#status').textContent.startsWith('Nobody')");
        await bob.JoinAsync(secret, "Bob");
        await alice.UntilAsync("document.querySelectorAll('.tile').length === 2");
        await bob.Page.Locator("#notice").WaitForAsync();
        await Task.Delay(LongEnough, TimeProvider.System, TestContext.Current.CancellationToken);

        Assert.Contains("changes them", await bob.NoticeAsync(), StringComparison.Ordinal);
        Assert.Equal(1, await bob.Page.Locator(".tile").CountAsync());
        Assert.Equal(0, await bob.Page.EvaluateAsync<int>("seen.connections.length"));
        Assert.Equal(((0, 0), (0, 0)), (await alice.PacketsAsync(), await bob.PacketsAsync()));
    }

    [Theory]
    [InlineData("one of its certificates is another", $"rewrite = sdp => sdp.replace(/(a=fingerprint:sha-256 ).*/, '$1{OtherCertificate}')")]
    [InlineData("its certificate is named by a weaker hash", "rewrite = sdp => sdp.replaceAll('a=fingerprint:sha-256', 'a=fingerprint:sha-1')")]
    [InlineData("it names no certificate", "rewrite = sdp => sdp.replaceAll('a=fingerprint', 'a=nothing')")]
    public async Task T11_a_description_that_does_not_name_one_certificate_is_refused_in_words(string what, string rewrite)
    {
        await using var alice = await site.NewPageAsync(CallPage.PacketCounter);
        await using var mallory = await site.NewPageAsync("let rewrite;" + rewrite + Rewriting + CallPage.PacketCounter);
        var secret = CallPage.NewSecret();

        await alice.JoinAsync(secret, "Alice");
        await mallory.JoinAsync(secret, "Mallory");
        await alice.Page.Locator("#notice").WaitForAsync();
        await Task.Delay(LongEnough, TimeProvider.System, TestContext.Current.CancellationToken);

        Assert.Contains("Somebody may be in the middle", await alice.NoticeAsync(), StringComparison.Ordinal);
        await alice.PhotographAsync("refused");
        Assert.Equal((what, (0, 0), (0, 0)), (what, await alice.PacketsAsync(), await mallory.PacketsAsync()));
    }

    [Fact]
    public async Task T11_with_a_certificate_that_is_not_the_signalled_one_no_media_flows()
    {
        await using var alice = await site.NewPageAsync(CallPage.PacketCounter);
        await using var mallory = await site.NewPageAsync(
            $"let rewrite = sdp => sdp.replace(/(a=fingerprint:sha-256 ).*/g, '$1{OtherCertificate}');" + Rewriting + CallPage.PacketCounter);
        var secret = CallPage.NewSecret();

        await alice.JoinAsync(secret, "Alice");
        await mallory.JoinAsync(secret, "Mallory");
        await alice.UntilAsync("seen.connections.some(one => one.connectionState === 'failed' || one.sctp?.transport?.state === 'failed')");
        await Task.Delay(LongEnough, TimeProvider.System, TestContext.Current.CancellationToken);

        Assert.Equal(((0, 0), (0, 0)), (await alice.PacketsAsync(), await mallory.PacketsAsync()));
    }

    [Fact]
    public async Task T11_another_certificate_on_the_wire_than_in_the_signalling_ends_the_connection_before_any_media()
    {
        await using var alice = await site.NewPageAsync(
            "RTCDtlsTransport.prototype.getRemoteCertificates = () => [new ArrayBuffer(64)];" + CallPage.PacketCounter);
        await using var bob = await site.NewPageAsync(CallPage.PacketCounter);
        var secret = CallPage.NewSecret();

        await alice.JoinAsync(secret, "Alice");
        await bob.JoinAsync(secret, "Bob");
        await Task.WhenAll(alice.Page.Locator("#notice").WaitForAsync(), bob.Page.Locator("#notice").WaitForAsync());

        Assert.Contains("Somebody may be in the middle", await alice.NoticeAsync(), StringComparison.Ordinal);
        await Task.Delay(LongEnough, TimeProvider.System, TestContext.Current.CancellationToken);

        // Bob's page was content with the certificate; what it had sent by the time that Alice's refused was not played.
        Assert.Equal((0, 0), ((await alice.PacketsAsync()).Sent, (await bob.PacketsAsync()).Received));
        Assert.True(await alice.Page.EvaluateAsync<bool>("seen.connections.every(one => one.connectionState === 'closed')"));
    }

    // What the page believes its own description to be: it seals and sends that.
    private const string Rewriting = """

        {
          const real = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, "localDescription")
            ?? Object.getOwnPropertyDescriptor(Object.getPrototypeOf(RTCPeerConnection.prototype), "localDescription");
          Object.defineProperty(RTCPeerConnection.prototype, "localDescription", {
            get() { const own = real.get.call(this); return own && { type: own.type, sdp: rewrite(own.sdp) }; },
          });
        }
        """;

    private static string Altered(string frame, double place)
    {
        var parsed = JsonNode.Parse(frame)!;
        if (parsed["signal"] is { } signal)
        {
            var content = Convert.FromBase64String((string)signal["content"]!);
            content[(int)(place * (content.Length - 1))] ^= 1;
            signal["content"] = Convert.ToBase64String(content);
        }

        return parsed.ToJsonString();
    }
}
