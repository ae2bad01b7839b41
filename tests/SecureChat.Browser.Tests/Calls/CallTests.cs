using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>People who call each other with the page, through the real server.</summary>
[Collection(nameof(CallSite))]
public sealed class CallTests(CallSite site, ITestOutputHelper output)
{
    private const int SetUps = 20;

    [Fact]
    public async Task Two_people_with_the_same_link_see_and_hear_each_other_directly()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();

        await alice.Page.GotoAsync(new Uri(site.Api, "/call-demo").ToString());
        await alice.UntilAsync("!document.querySelector('#preview').hidden");
        await alice.PhotographAsync("before");
        await alice.Page.GotoAsync("about:blank");
        await CallAsync(alice, bob);
        await alice.PhotographAsync("call-of-two");

        foreach (var page in new[] { alice, bob })
        {
            var first = await page.LookAsync();
            await page.DecodesMoreThanAsync(first.FramesDecoded);
            var now = await page.LookAsync();
            Assert.Equal(("connected", "host"), (now.Dtls, now.Type));
            Assert.StartsWith("SRTP_", now.Cipher, StringComparison.Ordinal);
            Assert.Contains("Direct", await page.Page.Locator(".quality").First.InnerTextAsync(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("udp")]
    [InlineData("tcp")]
    [InlineData("tls")]
    public async Task Two_people_who_hide_their_addresses_see_each_other_through_the_relay(string transport)
    {
        Assert.SkipWhen(site.Relay is null, "coturn is not installed.");
        var script = OnlyThrough(transport);
        await using var alice = await site.NewPageAsync(script);
        await using var bob = await site.NewPageAsync(script);

        await CallAsync(alice, bob, isRelayOnly: true);

        foreach (var page in new[] { alice, bob })
        {
            await page.DecodesMoreThanAsync((await page.LookAsync()).FramesDecoded);
            var now = await page.LookAsync();
            Assert.Equal(("connected", "relay", transport), (now.Dtls, now.Type, now.RelayProtocol));
            Assert.Contains("Relayed", await page.Page.Locator(".quality").First.InnerTextAsync(), StringComparison.Ordinal);
            Assert.DoesNotContain("typ host", await SentAsync(page), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_call_through_the_relay_outlives_its_credentials()
    {
        Assert.SkipWhen(site.Relay is null, "coturn is not installed.");
        var length = TimeSpan.FromSeconds(int.Parse(
            Environment.GetEnvironmentVariable("CHAT_TEST_CALL_SECONDS") ?? "45", CultureInfo.InvariantCulture));
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        Assert.True(length > CallSite.AllocationLife && length > CallSite.CredentialLife);
        await CallAsync(alice, bob, isRelayOnly: true);
        var begun = await alice.LookAsync();

        await Task.Delay(length, TimeProvider.System, TestContext.Current.CancellationToken);
        var later = await alice.LookAsync();
        await alice.DecodesMoreThanAsync(later.FramesDecoded);
        await bob.DecodesMoreThanAsync((await bob.LookAsync()).FramesDecoded);

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{length.TotalSeconds:0} s with credentials of {CallSite.CredentialLife.TotalSeconds:0} s: {later.FramesDecoded - begun.FramesDecoded} pictures"));
        Assert.True(length > CallSite.CredentialLife);
        Assert.Equal(("connected", "relay", 1), (later.Dtls, later.Type, await alice.Page.EvaluateAsync<int>("seen.connections.length")));
    }

    [Fact]
    public async Task Twenty_calls_in_a_row_all_come_up()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        var took = new List<double>();

        for (var call = 0; call < SetUps; call++)
        {
            var secret = CallPage.NewSecret();
            await alice.Page.GotoAsync("about:blank");
            await bob.Page.GotoAsync("about:blank");
            await alice.JoinAsync(secret, "Alice");
            await alice.UntilAsync("document.querySelector('#status').textContent.startsWith('Nobody')");
            var began = Stopwatch.GetTimestamp();
            await bob.JoinAsync(secret, "Bob");
            await Task.WhenAll(alice.DecodesMoreThanAsync(0), bob.DecodesMoreThanAsync(0));
            took.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        Assert.Equal(SetUps, took.Count);
        took.Sort();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{took.Count} of {SetUps} calls; from opening the page to a picture on both sides: median {took[SetUps / 2]:0} ms, p95 {took[SetUps * 95 / 100 - 1]:0} ms"));
    }

    [Fact]
    public async Task Mute_camera_and_farewell_are_seen_by_the_other_side()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        await CallAsync(alice, bob);

        await alice.Page.ClickAsync("#microphone");
        await bob.Page.Locator(".tile:not(.self) .muted").WaitForAsync();
        await alice.Page.ClickAsync("#camera");
        await bob.Page.Locator(".tile:not(.self) .initial").WaitForAsync();
        await alice.Page.ClickAsync("#camera");
        await bob.Page.Locator(".tile:not(.self) video").WaitForAsync();
        await alice.Page.ClickAsync("#hang-up");
        await bob.UntilAsync("document.querySelectorAll('.tile').length === 1");

        Assert.Equal("You left the call", await alice.Page.Locator("#after-title").InnerTextAsync());
        Assert.StartsWith("Nobody else is here", await bob.Page.Locator("#status").InnerTextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Muted_means_silence_at_the_other_side_and_a_camera_that_is_off_means_no_picture()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        await CallAsync(alice, bob);
        await bob.UntilAsync("look().then(now => now.energy > 0 && now.framesDecoded > 0)");
        var open = await GrowthAsync(bob);

        await alice.Page.ClickAsync("#microphone");
        await alice.Page.ClickAsync("#camera");
        await bob.Page.Locator(".tile:not(.self) .initial").WaitForAsync();
        await bob.Page.Locator(".tile:not(.self) .muted").WaitForAsync();
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, TestContext.Current.CancellationToken);
        var closed = await GrowthAsync(bob);

        output.WriteLine($"{open} while on, {closed} while off");
        Assert.True(open is { Energy: > 0, Frames: > 0 });
        Assert.InRange(closed.Energy, 0, open.Energy / 1000);
        Assert.Equal(0, closed.Frames);
    }

    [Theory]
    [InlineData(0.05, 0, "good")]
    [InlineData(0.05, 5, "fair")]
    [InlineData(0.4, 0, "fair")]
    [InlineData(0.05, 20, "poor")]
    [InlineData(0.8, 0, "poor")]
    public async Task The_quality_shown_is_that_of_the_last_look(double seconds, int lost, string grade)
    {
        await using var page = await site.NewPageAsync();
        await page.Page.GotoAsync(new Uri(site.Api, "/call-demo").ToString());

        var seen = await page.Page.EvaluateAsync<string[]>("""
            async ([seconds, lost]) => {
              const { QualityMeter } = await import("/call-demo/stats.js");
              const report = (received, lost) => ({ getStats: async () => new Map([
                ["T", { type: "transport", selectedCandidatePairId: "P" }],
                ["P", { type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R", currentRoundTripTime: seconds }],
                ["L", { candidateType: "host" }], ["R", { candidateType: "relay" }],
                ["I", { type: "inbound-rtp", packetsReceived: received, packetsLost: lost }],
              ]) });
              const meter = new QualityMeter();
              await meter.look(report(1000, 900));
              const now = await meter.look(report(1100 - lost, 900 + lost));
              const none = await meter.look({ getStats: async () => new Map() });
              return [now.grade, String(now.rtt), String(now.isRelayed), String(none)];
            }
            """, new object[] { seconds, lost });

        Assert.Equal([grade, (seconds * 1000).ToString(CultureInfo.InvariantCulture), "true", "null"], seen);
    }

    [Fact]
    public async Task A_shared_screen_is_seen_by_the_other_side_until_it_ends()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        await CallAsync(alice, bob);

        await alice.Page.ClickAsync("#screen");
        await bob.UntilAsync("(document.querySelector('.tile.screen:not(.self) video')?.videoWidth ?? 0) > 0");
        await alice.Page.ClickAsync("#screen");
        await bob.UntilAsync("document.querySelector('.tile.screen') === null");

        Assert.Equal(1, await bob.Page.Locator(".tile:not(.self)").CountAsync());
    }

    [Fact]
    public async Task In_a_room_of_four_everybody_sees_everybody()
    {
        var secret = CallPage.NewSecret();
        var pages = new List<CallPage>();
        foreach (var name in new[] { "Alice", "Bob", "Carol", "Dave" })
        {
            var page = await site.NewPageAsync();
            pages.Add(page);
            await page.JoinAsync(secret, name);
        }

        foreach (var page in pages)
        {
            await page.SeesAsync(3);
            await page.UntilAsync("look().then(now => now.videosPlaying === 3)");
        }

        await pages[0].PhotographAsync("room-of-four");
        foreach (var page in pages)
        {
            await page.DisposeAsync();
        }
    }

    [Fact]
    public async Task M11_packets_of_sound_all_have_one_size_and_never_pause()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        await CallAsync(alice, bob);
        await alice.UntilAsync("look().then(now => now.audioPackets > 50)");

        // The made-up microphone beeps once a second, with silence between.
        var sizes = new HashSet<double>();
        var before = await alice.LookAsync();
        while (sizes.Count is 0 || before.AudioPackets < 250)
        {
            var now = await alice.LookAsync();
            if (now.AudioPackets > before.AudioPackets)
            {
                sizes.Add((now.AudioBytes - before.AudioBytes) / (double)(now.AudioPackets - before.AudioPackets));
            }

            before = now;
        }

        Assert.Single(sizes);
        var descriptions = await alice.Page.EvaluateAsync<string[]>("seen.descriptions");
        Assert.All(descriptions, sdp => Assert.Matches("a=fmtp:[0-9]+ [^\r\n]*cbr=1;usedtx=0", sdp));
        Assert.All(descriptions, sdp => Assert.DoesNotContain("audio-level", sdp, StringComparison.Ordinal));
    }

    private static async Task CallAsync(CallPage alice, CallPage bob, bool isRelayOnly = false)
    {
        var secret = CallPage.NewSecret();
        await alice.JoinAsync(secret, "Alice", isRelayOnly);
        await bob.JoinAsync(secret, "Bob", isRelayOnly);
        await Task.WhenAll(alice.SeesAsync(1), bob.SeesAsync(1));
    }

    private static async Task<(double Energy, int Frames)> GrowthAsync(CallPage page)
    {
        var before = await page.LookAsync();
        await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, TestContext.Current.CancellationToken);
        var after = await page.LookAsync();
        return (after.Energy - before.Energy, after.FramesDecoded - before.FramesDecoded);
    }

    // Of the relays that the server gave, one; and what the page would tell others of itself is kept.
    private static string OnlyThrough(string transport) => $$"""
        seen.candidates = [];
        window.RTCPeerConnection = class extends RTCPeerConnection {
          constructor(configuration) {
            const isWanted = url => {{JsonSerializer.Serialize(transport)}} === "tls" ? url.startsWith("turns:") : url.startsWith("turn:") && url.endsWith({{JsonSerializer.Serialize(transport)}});
            super({ ...configuration, iceServers: configuration.iceServers.map(one => ({ ...one, urls: one.urls.filter(isWanted) })) });
            this.addEventListener("icecandidate", event => seen.candidates.push(event.candidate?.candidate ?? ""));
          }
        };
        """;

    private static Task<string> SentAsync(CallPage page) => page.Page.EvaluateAsync<string>("seen.candidates.join('\\n')");
}
