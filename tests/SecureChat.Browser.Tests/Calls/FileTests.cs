using System.Security.Cryptography;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>Files from page to page. Spec: docs/protocol/transfer.md.</summary>
[Collection(nameof(CallSite))]
public sealed class FileTests(CallSite site)
{
    [Fact]
    public async Task A_file_arrives_as_it_was_and_only_after_it_was_accepted()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        await CallAsync(alice, bob);
        var content = RandomNumberGenerator.GetBytes(2_000_003);

        await alice.SendFileAsync(content, "../../holiday.jpg");
        await bob.Page.Locator(".accept").WaitForAsync();
        Assert.Equal(0, await bob.Page.Locator("#files progress").EvaluateAsync<int>("one => one.value"));
        await bob.PhotographAsync("file-offered");
        await bob.Page.ClickAsync(".accept");
        var (name, saved) = await bob.SavedFileAsync();

        Assert.Equal("holiday.jpg", name);
        Assert.Equal(SHA256.HashData(content), SHA256.HashData(saved));
        Assert.Contains("arrived", await alice.Page.Locator("#files .what").InnerTextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_whose_connection_broke_goes_on_where_it_was()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        await CallAsync(alice, bob);
        var content = RandomNumberGenerator.GetBytes(8_000_000);

        await alice.SendFileAsync(content, "film.mp4");
        await bob.Page.ClickAsync(".accept");
        await bob.UntilAsync("document.querySelector('#files progress').value > 0.05");
        await bob.Page.EvaluateAsync("seen.connections.at(-1).close()");
        var (_, saved) = await bob.SavedFileAsync();

        Assert.Equal(SHA256.HashData(content), SHA256.HashData(saved));
        var offsets = await bob.Page.EvaluateAsync<int[]>("seen.texts.filter(one => one.kind === 'file-accept').map(one => one.offset)");
        Assert.Equal(2, offsets.Length);
        Assert.Equal(0, offsets[0]);
        Assert.True(offsets[1] > content.Length / 20, $"It went on at {offsets[1]}.");
    }

    [Fact]
    public async Task A_sender_puts_no_more_into_a_channel_than_a_mebibyte_and_a_chunk()
    {
        await using var alice = await site.NewPageAsync();
        await using var bob = await site.NewPageAsync();
        await CallAsync(alice, bob);
        var content = RandomNumberGenerator.GetBytes(8_000_000);

        await alice.SendFileAsync(content, "film.mp4");
        await bob.Page.ClickAsync(".accept");
        var (_, saved) = await bob.SavedFileAsync();

        Assert.Equal(SHA256.HashData(content), SHA256.HashData(saved));
        Assert.InRange(await alice.Page.EvaluateAsync<int>("seen.mostWaiting"), 256 * 1024, (1024 * 1024) + 16_384);
    }

    [Fact]
    public async Task A_file_that_is_not_what_was_offered_is_thrown_away()
    {
        await using var alice = await site.NewPageAsync("""
            const real = crypto.subtle.digest.bind(crypto.subtle);
            crypto.subtle.digest = async (name, data) => real(name, data.byteLength === 1000 ? new Uint8Array(1000) : data);
            """);
        await using var bob = await site.NewPageAsync();
        await CallAsync(alice, bob);

        await alice.SendFileAsync(RandomNumberGenerator.GetBytes(1000), "contract.pdf");
        await bob.Page.ClickAsync(".accept");
        await bob.Page.Locator("#files [data-state=damaged]").WaitForAsync();

        Assert.Equal(0, await bob.Page.Locator(".save").CountAsync());
        await alice.Page.Locator("#files [data-state=damaged]").WaitForAsync();
    }

    private static async Task CallAsync(CallPage alice, CallPage bob)
    {
        var secret = CallPage.NewSecret();
        await alice.JoinAsync(secret, "Alice");
        await bob.JoinAsync(secret, "Bob");
        await Task.WhenAll(alice.SeesAsync(1), bob.SeesAsync(1));
    }
}
