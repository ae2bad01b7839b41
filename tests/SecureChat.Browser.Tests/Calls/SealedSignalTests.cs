using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Playwright;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>What the server sees of a call that the page makes, and what it can do with it.</summary>
[Collection(nameof(CallSite))]
public sealed class SealedSignalTests(CallSite site)
{
    [Fact]
    public async Task The_server_sees_nothing_of_a_call_but_sealed_bytes()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        var frames = new ConcurrentQueue<string>();
        Record(alice.Page, frames);
        Record(bob.Page, frames);
        var secret = CallPage.NewSecret();

        await alice.JoinAsync(secret, "Alice Somebody");
        await bob.JoinAsync(secret, "Bob Somebody");
        await Task.WhenAll(alice.SeesAsync(1), bob.SeesAsync(1));

        var contents = frames.Select(frame => JsonNode.Parse(frame)!["signal"]).OfType<JsonNode>()
            .Select(signal => Convert.FromBase64String((string)signal["content"]!)).ToList();
        string[] plain = ["v=0", "candidate", "fingerprint", "typ host", "Somebody", "kind", "link"];
        var bytes = Base64Url.DecodeFromChars(secret);
        Assert.True(contents.Count > 8, $"{contents.Count} signals were seen.");
        Assert.All(contents, content => Assert.All(plain, text => Assert.Equal(-1, content.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)))));
        Assert.All(contents, content => Assert.Equal(-1, content.AsSpan().IndexOf(bytes)));
        string[] spelled = [secret, Convert.ToBase64String(bytes), "Somebody"];
        Assert.All(frames, frame => Assert.All(spelled, text => Assert.DoesNotContain(text, frame, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_signal_opens_once_for_whom_it_is_from_whom_it_is()
    {
        await using var page = await OpenAsync();

        var refused = await page.Page.EvaluateAsync<string[]>("""
            async secret => {
              const { RoomKeys, Seal } = await import("/call-demo/seal.js");
              const { fromBase64Url } = await import("/call-demo/encoding.js");
              const keys = await RoomKeys.derive(fromBase64Url(secret));
              const sealed = await new Seal(keys).seal(7, 9, { kind: "hello" });
              const raised = sealed.slice();
              raised[11] ^= 1;
              const one = new Seal(keys);
              if ((await one.open(7, 9, sealed))?.kind !== "hello") { return ["nothing opens"]; }
              const tried = {
                again: await one.open(7, 9, sealed), counter: await new Seal(keys).open(7, 9, raised),
                from: await new Seal(keys).open(6, 9, sealed), to: await new Seal(keys).open(7, 8, sealed),
              };
              return Object.entries(tried).filter(([, message]) => message === null).map(([what]) => what);
            }
            """, CallPage.NewSecret());

        Assert.Equal(["again", "counter", "from", "to"], refused);
    }

    [Fact]
    public async Task The_page_derives_a_rooms_keys_as_the_vectors_have_them()
    {
        await using var page = await OpenAsync();
        var file = Path.Combine(AppContext.BaseDirectory, "../../../../../vectors/calls/rooms.json");
        var tests = JsonNode.Parse(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken))!["tests"]!.AsArray();

        Assert.NotEmpty(tests);
        foreach (var test in tests)
        {
            var derived = await page.Page.EvaluateAsync<string[]>("""
                async secret => {
                  const { RoomKeys } = await import("/call-demo/seal.js");
                  const { fromBase64, toBase64 } = await import("/call-demo/encoding.js");
                  const keys = await RoomKeys.derive(fromBase64(secret));
                  return [toBase64(keys.capability), toBase64(keys.room)];
                }
                """, (string)test!["secret"]!);

            Assert.Equal([(string)test["capability"]!, (string)test["room"]!], derived);
        }
    }

    [Fact]
    public async Task T11_signals_that_come_twice_or_to_the_wrong_one_or_under_a_false_number_have_no_effect()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        var handed = 0;
        await bob.Page.RouteWebSocketAsync("**/ws/rooms", near =>
        {
            var far = near.ConnectToServer();
            near.OnMessage(message =>
            {
                far.Send(message.Text!);

                // What Bob sent, to himself, as if somebody else had.
                if (JsonNode.Parse(message.Text!)!["signal"]?["content"] is { } own)
                {
                    near.Send(Signal(1, (string)own!));
                }
            });
            far.OnMessage(message =>
            {
                near.Send(message.Text!);
                if (JsonNode.Parse(message.Text!)!["signal"] is { } signal)
                {
                    Interlocked.Increment(ref handed);
                    near.Send(message.Text!);
                    near.Send(Signal((uint)signal["peer"]! ^ 1, (string)signal["content"]!));
                }
            });
        });
        var secret = CallPage.NewSecret();

        await alice.JoinAsync(secret, "Alice");
        await bob.JoinAsync(secret, "Bob");
        await Task.WhenAll(alice.SeesAsync(1), bob.SeesAsync(1));
        await Task.WhenAll(alice.DecodesMoreThanAsync(0), bob.DecodesMoreThanAsync(0));

        Assert.True(handed > 3, $"{handed} signals came twice.");
        Assert.Equal(2, await bob.Page.Locator(".tile").CountAsync());
        Assert.Equal((1, 1), (await ConnectionsAsync(alice), await ConnectionsAsync(bob)));
        Assert.Contains("changes them", await bob.NoticeAsync(), StringComparison.Ordinal);
    }

    private async Task<CallPage> OpenAsync()
    {
        var page = await site.NewPageAsync();
        await page.Page.GotoAsync(new Uri(site.Api, "/call-demo").ToString());
        return page;
    }

    private static Task<int> ConnectionsAsync(CallPage page) => page.Page.EvaluateAsync<int>("seen.connections.length");

    private static string Signal(uint peer, string content) =>
        new JsonObject { ["signal"] = new JsonObject { ["peer"] = peer, ["content"] = content } }.ToJsonString();

    internal static void Record(IPage page, ConcurrentQueue<string> frames) => page.WebSocket += (_, socket) =>
    {
        socket.FrameSent += (_, frame) => frames.Enqueue(frame.Text ?? "");
        socket.FrameReceived += (_, frame) => frames.Enqueue(frame.Text ?? "");
    };
}
