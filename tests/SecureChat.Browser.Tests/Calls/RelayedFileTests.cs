using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using static SecureChat.Browser.Tests.Calls.RelayedFiles;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>Files between pages that cannot connect, or no longer. Spec: docs/protocol/transfer.md#through-the-relay.</summary>
[Collection(nameof(CallSite))]
public sealed class RelayedFileTests(CallSite site)
{
    [Fact]
    public async Task A_file_for_somebody_who_cannot_be_connected_with_arrives_through_the_relay()
    {
        await using var alice = await site.NewPageAsync(Unreachable);
        await using var bob = await site.NewPageAsync(Unreachable);
        var asked = MediaRequestsOf(alice, bob);
        await MeetAsync(alice, bob);
        var content = RandomNumberGenerator.GetBytes(3_000_003);

        await alice.SendFileAsync(content, "../../holiday.jpg");
        await bob.Page.Locator(".accept").WaitForAsync();
        Assert.Empty(await SaidAsync(alice, "file-relayed"));
        await bob.Page.ClickAsync(".accept");
        var (name, saved) = await bob.SavedFileAsync();
        await alice.Page.Locator("#files [data-state=done]").WaitForAsync();
        await bob.PhotographAsync("file-relayed");

        Assert.Equal("holiday.jpg", name);
        Assert.Equal(SHA256.HashData(content), SHA256.HashData(saved));
        foreach (var page in new[] { alice, bob })
        {
            Assert.Contains("through the relay", await page.Page.Locator("#files .what").InnerTextAsync(), StringComparison.Ordinal);
            Assert.False(await page.Page.EvaluateAsync<bool>("seen.wasConnected"));
        }

        var media = (string)Assert.Single(await SaidAsync(alice, "file-relayed"))["media"]!;
        var farewell = Assert.Single(asked, one => one.Method is "DELETE" && one.Url.EndsWith("/v1/media/" + media, StringComparison.Ordinal));
        var answer = (await farewell.ResponseAsync())!;
        Assert.Equal(204, answer.Status);
    }

    [Fact]
    public async Task A_file_that_nobody_wants_never_reaches_the_relay()
    {
        await using var alice = await site.NewPageAsync(Unreachable);
        await using var bob = await site.NewPageAsync(Unreachable);
        var asked = MediaRequestsOf(alice, bob);
        await MeetAsync(alice, bob);

        await alice.SendFileAsync(RandomNumberGenerator.GetBytes(1000), "advert.pdf");
        await bob.Page.ClickAsync(".decline");
        await alice.Page.Locator("#files [data-state=declined]").WaitForAsync();

        Assert.Empty(asked);
    }

    [Fact]
    public async Task A_file_whose_connection_is_gone_for_good_arrives_through_the_relay()
    {
        await using var alice = await site.NewPageAsync(Unreachable + "isCut = false;");
        await using var bob = await site.NewPageAsync(Unreachable + "isCut = false;");
        var asked = MediaRequestsOf(alice, bob);
        await MeetAsync(alice, bob, areHidden: false);
        await Task.WhenAll(alice.SeesAsync(1), bob.SeesAsync(1));
        var content = RandomNumberGenerator.GetBytes(8_000_000);

        await alice.SendFileAsync(content, "film.mp4");
        await bob.Page.ClickAsync(".accept");
        await bob.UntilAsync("document.querySelector('#files progress').value > 0.05");
        Assert.Empty(asked);
        await alice.Page.EvaluateAsync("isCut = true");
        await bob.Page.EvaluateAsync("isCut = true; seen.connections.at(-1).close()");
        await bob.Page.Locator("#files [data-state=paused]").WaitForAsync();
        await bob.PhotographAsync("file-waits");
        var (_, saved) = await bob.SavedFileAsync();

        Assert.Equal(SHA256.HashData(content), SHA256.HashData(saved));
        Assert.Single(await SaidAsync(alice, "file-relayed"));
        Assert.Equal(1, await bob.Page.Locator("#files li").CountAsync());
    }

    [Fact]
    public async Task While_the_connection_is_up_no_file_goes_to_the_server()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        var asked = MediaRequestsOf(alice, bob);
        await MeetAsync(alice, bob, areHidden: false);
        await Task.WhenAll(alice.SeesAsync(1), bob.SeesAsync(1));
        var content = RandomNumberGenerator.GetBytes(2_000_000);

        await alice.SendFileAsync(content, "holiday.jpg");
        await bob.Page.ClickAsync(".accept");
        var (_, saved) = await bob.SavedFileAsync();
        await alice.Page.Locator("#files [data-state=done]").WaitForAsync();

        Assert.Equal(SHA256.HashData(content), SHA256.HashData(saved));
        Assert.Empty(asked);
        Assert.DoesNotContain("relay", await alice.Page.Locator("#files .what").InnerTextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_server_sees_neither_the_name_nor_the_hash_nor_the_key_nor_the_content_of_what_it_relays()
    {
        await using var alice = await site.NewPageAsync(Unreachable);
        await using var bob = await site.NewPageAsync(Unreachable);
        var frames = new ConcurrentQueue<string>();
        SealedSignalTests.Record(alice.Page, frames);
        SealedSignalTests.Record(bob.Page, frames);
        var asked = MediaRequestsOf(alice, bob);
        await MeetAsync(alice, bob);
        var content = RandomNumberGenerator.GetBytes(200_000);

        await alice.SendFileAsync(content, "resignation-letter.pdf");
        await bob.Page.ClickAsync(".accept");
        await bob.SavedFileAsync();

        var key = (string)Assert.Single(await SaidAsync(alice, "file-relayed"))["key"]!;
        var hash = Base64Url.EncodeToString(SHA256.HashData(content));
        var signals = frames.Select(frame => JsonNode.Parse(frame)!["signal"]).OfType<JsonNode>()
            .Select(signal => Convert.FromBase64String((string)signal["content"]!)).ToList();
        List<byte[]> secrets =
        [
            .. new[] { "resignation", "file-", key, hash }.Select(Encoding.UTF8.GetBytes), Base64Url.DecodeFromChars(key), SHA256.HashData(content), content[..16], content[^16..],
        ];
        Assert.All(signals, signal => Assert.Equal(13 + 12 + 16, signal.Length % 512));
        var bodies = asked.Where(one => one.PostDataBuffer is not null).Select(one => one.PostDataBuffer!).ToList();
        Assert.True(signals.Count > 8 && bodies.Sum(body => body.Length) > content.Length, $"{signals.Count} signals, {bodies.Count} bodies");
        Assert.All(signals.Concat(bodies), bytes => Assert.All(secrets, secret => Assert.Equal(-1, bytes.AsSpan().IndexOf(secret))));
        string[] spelled = ["resignation", key, hash, "cookie"];
        var lines = asked.Select(one => $"{one.Url} {string.Join(' ', one.Headers)}");
        Assert.All(frames.Concat(lines), line => Assert.All(spelled, text => Assert.DoesNotContain(text, line, StringComparison.OrdinalIgnoreCase)));
    }

    [Fact]
    public async Task A_file_that_is_too_large_for_the_relay_waits_and_says_so()
    {
        await using var alice = await site.NewPageAsync(Unreachable + "Object.defineProperty(File.prototype, 'size', { get: () => 96 * 1024 * 1024 + 1 });");
        await using var bob = await site.NewPageAsync(Unreachable);
        var asked = MediaRequestsOf(alice, bob);
        await MeetAsync(alice, bob);

        await alice.SendFileAsync(RandomNumberGenerator.GetBytes(1000), "film.mp4");
        await bob.Page.ClickAsync(".accept");
        await alice.Page.Locator("#files [data-state=too-large]").WaitForAsync();

        Assert.Contains("too large for the relay", await alice.Page.Locator("#files .what").InnerTextAsync(), StringComparison.Ordinal);
        Assert.Empty(asked);
    }
}
