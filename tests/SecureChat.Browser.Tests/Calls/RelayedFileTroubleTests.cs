using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Microsoft.Playwright;
using static SecureChat.Browser.Tests.Calls.RelayedFiles;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>Files through a relay that breaks, alters them or loses words, and for somebody who must not be sent any.</summary>
[Collection(nameof(CallSite))]
public sealed class RelayedFileTroubleTests(CallSite site)
{
    [Fact]
    public async Task An_upload_and_a_download_that_break_go_on_where_they_were()
    {
        await using var alice = await site.NewPageAsync(Unreachable);
        await using var bob = await site.NewPageAsync(Unreachable + """
            {
              const real = fetch;
              let isFirst = true;
              window.fetch = async (url, request) => {
                const answer = await real(url, request);
                if (request?.method !== "GET" || !isFirst) { return answer; }
                isFirst = false;
                const bytes = new Uint8Array(await answer.arrayBuffer());
                const body = new ReadableStream({
                  pull(controller) {
                    if (!this.isGiven) { controller.enqueue(bytes.slice(0, 500_000)); this.isGiven = true; } else { controller.error(new TypeError("network error")); }
                  },
                });
                return new Response(body, { status: answer.status, headers: answer.headers });
              };
            }
            """);
        var asked = MediaRequestsOf(alice, bob);
        await BreakFirstPartAsync(alice);
        await MeetAsync(alice, bob);
        var content = RandomNumberGenerator.GetBytes(3_000_000);

        await alice.SendFileAsync(content, "film.mp4");
        await bob.Page.ClickAsync(".accept");
        var (_, saved) = await bob.SavedFileAsync();

        Assert.Equal(SHA256.HashData(content), SHA256.HashData(saved));
        Assert.Equal(["0", "400000"], asked.Where(one => one.Method is "PATCH").Select(one => one.Headers["upload-offset"]).Take(2));
        var ranges = asked.Where(one => one.Method is "GET").Select(one => one.Headers.GetValueOrDefault("range"));
        Assert.Equal([null, "bytes=500000-"], ranges);
    }

    [Theory]
    [InlineData("a byte of the key's commitment", 31)]
    [InlineData("a byte of the content", 100_000)]
    [InlineData("the last byte", -1)]
    public async Task A_relay_that_alters_a_file_is_found_out_and_nothing_is_shown(string what, int place)
    {
        var damaged = await ThroughAsync(body =>
        {
            body[place < 0 ? body.Length + place : place] ^= 1;
            return body;
        });

        Assert.True(damaged, what);
    }

    [Theory]
    [InlineData("another file of the same length")]
    [InlineData("a segment before another")]
    [InlineData("its end left out")]
    public async Task A_relay_that_swaps_or_cuts_a_file_is_found_out_and_nothing_is_shown(string what)
    {
        var damaged = await ThroughAsync(body => what switch
        {
            "another file of the same length" => RandomNumberGenerator.GetBytes(body.Length),
            "a segment before another" => [.. body[..32], .. body[65_584..131_136], .. body[32..65_584], .. body[131_136..]],
            _ => body[..^16_400],
        });

        Assert.True(damaged, what);
    }

    [Fact]
    public async Task A_relayed_file_that_is_not_what_was_offered_is_thrown_away()
    {
        await using var alice = await site.NewPageAsync(Unreachable + """
            const real = crypto.subtle.digest.bind(crypto.subtle);
            crypto.subtle.digest = async (name, data) => real(name, data.byteLength === 1000 ? new Uint8Array(1000) : data);
            """);
        await using var bob = await site.NewPageAsync(Unreachable);
        await MeetAsync(alice, bob);

        await alice.SendFileAsync(RandomNumberGenerator.GetBytes(1000), "contract.pdf");
        await bob.Page.ClickAsync(".accept");
        await bob.Page.Locator("#files [data-state=damaged]").WaitForAsync();

        Assert.Equal(0, await bob.Page.Locator(".save").CountAsync());
        await alice.Page.Locator("#files [data-state=damaged]").WaitForAsync();
    }

    [Fact]
    public async Task A_file_whose_last_word_was_lost_is_not_taken_twice()
    {
        await using var alice = await site.NewPageAsync(Unreachable);
        await using var bob = await site.NewPageAsync(Unreachable);
        var isLost = false;
        IWebSocketRoute? socket = null;
        await bob.Page.RouteWebSocketAsync("**/ws/rooms", near =>
        {
            socket = near;
            var far = near.ConnectToServer();
            near.OnMessage(message =>
            {
                if (!Volatile.Read(ref isLost))
                {
                    far.Send(message.Text!);
                }
            });
        });
        await bob.Page.RouteAsync("**/v1/media/*", async route =>
        {
            Volatile.Write(ref isLost, route.Request.Method is "DELETE");
            await route.ContinueAsync();
        });
        await MeetAsync(alice, bob);

        await alice.SendFileAsync(RandomNumberGenerator.GetBytes(1000), "holiday.jpg");
        await bob.Page.ClickAsync(".accept");
        await bob.Page.Locator("#files [data-state=done]").WaitForAsync();
        Assert.Equal(0, await alice.Page.Locator("#files [data-state=done]").CountAsync());
        Volatile.Write(ref isLost, false);
        await socket!.CloseAsync(new WebSocketRouteCloseOptions { Code = 3000 });
        await alice.UntilAsync("document.querySelector('#files [data-state=done]') !== null");

        Assert.Equal(1, await bob.Page.Locator("#files li").CountAsync());
        Assert.Equal(1, await bob.Page.Locator(".save").CountAsync());
    }

    [Fact]
    public async Task Who_shows_another_certificate_than_the_signalled_one_is_offered_no_file_by_any_way()
    {
        await using var alice = await site.NewPageAsync("RTCDtlsTransport.prototype.getRemoteCertificates = () => [new ArrayBuffer(64)];");
        await using var mallory = await site.NewPageAsync();
        await MeetAsync(alice, mallory, areHidden: false);

        await alice.Page.Locator("#notice").WaitForAsync();
        await alice.UntilAsync("document.querySelector('.tile:not(.self) .send').hidden");

        Assert.Contains("Somebody may be in the middle", await alice.NoticeAsync(), StringComparison.Ordinal);
    }

    /// <summary>Sends a file through a relay that does something to it; whether both pages found out and showed nothing.</summary>
    private async Task<bool> ThroughAsync(Func<byte[], byte[]> alter)
    {
        await using var alice = await site.NewPageAsync(Unreachable);
        await using var bob = await site.NewPageAsync(Unreachable);
        await bob.Page.RouteAsync("**/v1/media/*", async route =>
        {
            if (route.Request.Method is not "GET")
            {
                await route.ContinueAsync();
                return;
            }

            var answer = await route.FetchAsync();
            var body = alter(await answer.BodyAsync());
            var headers = new Dictionary<string, string>(answer.Headers) { ["content-length"] = body.Length.ToString(CultureInfo.InvariantCulture) };
            await route.FulfillAsync(new RouteFulfillOptions { Status = answer.Status, Headers = headers, BodyBytes = body });
        });
        await MeetAsync(alice, bob);
        await alice.SendFileAsync(RandomNumberGenerator.GetBytes(200_000), "contract.pdf");
        await bob.Page.ClickAsync(".accept");
        await bob.UntilAsync("document.querySelector('#files [data-state=damaged], #files [data-state=done], #files [data-state=lost]') !== null");
        await alice.UntilAsync("document.querySelector('#files [data-state=damaged], #files [data-state=done], #files [data-state=lost]') !== null");
        return await bob.Page.Locator(".save").CountAsync() is 0
            && await bob.Page.Locator("#files [data-state=damaged]").CountAsync() is 1
            && await alice.Page.Locator("#files [data-state=damaged]").CountAsync() is 1;
    }

    // Of the first part some arrives, and then the line is dead.
    private static async Task BreakFirstPartAsync(CallPage page)
    {
        var parts = 0;
        await page.Page.RouteAsync("**/v1/media/uploads/*", async route =>
        {
            if (route.Request.Method is not "PATCH" || Interlocked.Increment(ref parts) > 1)
            {
                await route.ContinueAsync();
                return;
            }

            using var request = new HttpRequestMessage(HttpMethod.Patch, route.Request.Url)
            {
                Content = new ByteArrayContent(route.Request.PostDataBuffer!, 0, 400_000) { Headers = { ContentType = new MediaTypeHeaderValue("application/offset+octet-stream") } },
            };
            request.Headers.Add("Tus-Resumable", "1.0.0");
            request.Headers.Add("Upload-Offset", "0");
            using var client = new HttpClient();
            using var answer = await client.SendAsync(request, CancellationToken.None);
            await route.AbortAsync();
        });
    }
}
