using System.Diagnostics;
using System.Text.Json;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Architecture;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Media;

/// <summary>The official <c>tus-js-client</c>, unmodified, uploads to this server.</summary>
public sealed class TusClientTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1_000, null, 0)]
    [InlineData(3_000_000, null, 0)]
    [InlineData(3_000_000, 500_000, 0)]
    [InlineData(3_000_000, 1_048_576, 0)]
    [InlineData(20_000_000, null, 1)]
    [InlineData(20_000_000, 1_000_000, 4)]
    public async Task The_official_client_uploads_and_resumes(int size, int? chunkSize, int cuts)
    {
        await using var node = await LoopbackNode.StartAsync();
        var device = await node.NewDeviceAsync();
        using var stranger = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{node.ApiPort}") };
        var content = FileSender.SomeBytes(size);
        var file = Path.Combine(node.Folder, "to-send");
        await File.WriteAllBytesAsync(file, content, Ct);

        var result = await RunAsync(new
        {
            endpoint = new Uri(stranger.BaseAddress, "/v1/media"),
            token = device.AccessToken,
            file,
            chunkSize,
            cuts,
        });

        var id = result.GetProperty("id").GetString();
        Assert.Equal(content, await new FileSender(stranger, stranger).ReadAsync($"/v1/media/{id}"));
        var requests = result.GetProperty("requests").EnumerateArray().Select(method => method.GetString()).ToList();
        Assert.Equal(1, requests.Count(method => method is "POST"));
        Assert.Equal(cuts, requests.Count(method => method is "HEAD"));
    }

    [Fact]
    public async Task An_upload_that_the_official_client_terminates_is_gone()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (_, arguments) = await PrepareAsync(node, 5_000_000);

        var result = await RunAsync(arguments(new { chunkSize = 500_000, cuts = 1, leave = "terminate" }));

        using var stranger = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{node.ApiPort}") };
        Assert.Contains("DELETE", Requests(result));
        Assert.Equal("410", await new FileSender(stranger, stranger).OffsetAsync(result.GetProperty("url").GetString()!));
        Assert.Empty(Directory.GetFiles(Path.Combine(node.Folder, "blobs", "media")));
    }

    [Fact]
    public async Task The_official_client_begins_anew_when_its_upload_has_expired()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (file, arguments) = await PrepareAsync(node, 5_000_000);
        var begun = await RunAsync(arguments(new { chunkSize = 500_000, cuts = 1, leave = "stop" }));
        await node.Get<Database>().ExecuteAsync($"UPDATE media SET expires_at = {1L}", Ct);

        var result = await RunAsync(arguments(new { uploadUrl = begun.GetProperty("url").GetString() }));

        using var stranger = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{node.ApiPort}") };
        Assert.Equal(["HEAD", "POST", "PATCH"], Requests(result));
        Assert.Equal(
            await File.ReadAllBytesAsync(file, Ct),
            await new FileSender(stranger, stranger).ReadAsync($"/v1/media/{result.GetProperty("id").GetString()}"));
    }

    private static List<string?> Requests(JsonElement result) =>
        [.. result.GetProperty("requests").EnumerateArray().Select(method => method.GetString())];

    private static async Task<(string File, Func<object, object> Arguments)> PrepareAsync(LoopbackNode node, int size)
    {
        var device = await node.NewDeviceAsync();
        var file = Path.Combine(node.Folder, "to-send");
        await File.WriteAllBytesAsync(file, FileSender.SomeBytes(size), Ct);
        return (file, Arguments);

        object Arguments(object more)
        {
            var all = JsonSerializer.SerializeToNode(more)!.AsObject();
            all["endpoint"] = $"http://127.0.0.1:{node.ApiPort}/v1/media";
            all["token"] = device.AccessToken;
            all["file"] = file;
            return all;
        }
    }

    private static async Task<JsonElement> RunAsync(object arguments)
    {
        var folder = Path.Combine(Sources.Root, "tests", "tus-peer");
        Assert.True(Directory.Exists(Path.Combine(folder, "node_modules")), "Run ./test, or `npm ci` in tests/tus-peer.");
        using var node = Process.Start(new ProcessStartInfo("node", ["upload.mjs", JsonSerializer.Serialize(arguments)])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = node.StandardError.ReadToEndAsync(Ct);
        var output = await node.StandardOutput.ReadToEndAsync(Ct);
        await node.WaitForExitAsync(Ct);
        Assert.True(node.ExitCode is 0, await errors);
        return JsonSerializer.Deserialize<JsonElement>(output);
    }
}
