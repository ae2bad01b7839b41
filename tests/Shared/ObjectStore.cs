using System.Globalization;

namespace SecureChat.Tests;

/// <summary>An S3-compatible object store of somebody else (<c>s3rver</c> from npm), started by the first test that needs it.</summary>
public sealed class ObjectStore : IAsyncDisposable
{
    /// <summary>A bucket that is there.</summary>
    public const string Bucket = "files";

    /// <summary>Who may use it, and the secret for it.</summary>
    public const string Key = "S3RVER";

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-s3-");
    private readonly int _port = ChildProcess.FreePort();
    private ChildProcess? _server;

    /// <summary>Where it is.</summary>
    public async Task<Uri> EndpointAsync(CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            _server ??= await StartAsync(ct);
        }
        finally
        {
            _turn.Release();
        }

        return new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_port}"));
    }

    /// <summary>The content of every object, as files that only the store writes.</summary>
    public string[] Objects() => [.. _folder.GetFiles("*_object", SearchOption.AllDirectories).Select(file => file.FullName)];

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _turn.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task<ChildProcess> StartAsync(CancellationToken ct)
    {
        var program = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../s3-peer/node_modules/s3rver/bin/s3rver.js"));
        Assert.True(File.Exists(program), "Run ./test, or `npm ci` in tests/s3-peer.");

        // It makes the token by which a list goes on with a cipher that is an old one.
        var server = ChildProcess.Start(
            ["node", "--openssl-legacy-provider", program, "-d", Path.Combine(_folder.FullName, "data"), "-a", "127.0.0.1",
                "-p", _port.ToString(CultureInfo.InvariantCulture), "--configure-bucket", Bucket],
            Path.Combine(_folder.FullName, "s3rver.log"));
        using var http = new HttpClient();
        await server.WaitUntilAsync(
            async () =>
            {
                try
                {
                    using var answer = await http.GetAsync(new Uri($"http://127.0.0.1:{_port}/{Bucket}"), ct);
                    return true;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            ct);
        return server;
    }
}
