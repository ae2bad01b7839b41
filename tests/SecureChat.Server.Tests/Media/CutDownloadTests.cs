using System.Globalization;
using System.Net;
using System.Net.Sockets;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Media;

/// <summary>Downloads over real connections that break in the middle.</summary>
public sealed class CutDownloadTests
{
    // More than what waits in the buffers of a connection.
    private const int Size = 32 << 20;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <param name="isBehindProxy">A proxy that takes everything from the server, however little the client takes.</param>
    [Theory, InlineData(false), InlineData(true)]
    public async Task A_download_that_was_cut_goes_on_by_its_claim_for_two_minutes(bool isBehindProxy)
    {
        await using var node = await LoopbackNode.StartAsync();
        using var account = node.As(await node.NewDeviceAsync());
        using var stranger = new HttpClient { BaseAddress = account.BaseAddress };
        var content = FileSender.SomeBytes(Size);
        var (_, download) = await new FileSender(account, stranger).UploadAsync(content);
        await using var proxy = new GreedyProxy(node.ApiPort);
        using var client = new HttpClient { BaseAddress = isBehindProxy ? proxy.Address : account.BaseAddress };

        var answer = await client.GetAsync(new Uri(download, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, Ct);
        var claim = FileSender.Header(answer, "Media-Claim");
        var granted = await EndOfClaimAsync(node);
        await proxy.HasEverythingAsync(isBehindProxy);
        var half = new byte[Size / 2];
        await (await answer.Content.ReadAsStreamAsync(Ct)).ReadExactlyAsync(half, Ct);
        answer.Dispose();

        // Later than it was when the download was granted: the server has noticed that it is over.
        Assert.True(await Eventually.IsAsync(true, async () => await EndOfClaimAsync(node) > granted));
        var left = await EndOfClaimAsync(node) - TimeProvider.System.GetUtcNow();
        Assert.InRange(left, TimeSpan.FromSeconds(90), TimeSpan.FromSeconds(120));
        var rest = await new FileSender(account, stranger).ReadAsync(download, claim, $"bytes={half.Length}-");
        Assert.Equal(content, half.Concat(Assert.IsType<byte[]>(rest)).ToArray());
    }

    private static async Task<DateTimeOffset> EndOfClaimAsync(LoopbackNode node) => DateTimeOffset.FromUnixTimeMilliseconds(
        await node.Get<Database>().FirstOrDefaultAsync<long>($"SELECT COALESCE(MAX(ends_at), 0) FROM media_claims", Ct));

    /// <summary>Reads answers whole before its client has them, as proxies that buffer do.</summary>
    private sealed class GreedyProxy : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly TaskCompletionSource _whole = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly int _port;
        private readonly Task _running;

        public GreedyProxy(int port)
        {
            _port = port;
            _listener.Start();
            _running = RunAsync();
        }

        public Uri Address => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}"));

        public Task HasEverythingAsync(bool isUsed)
        {
            _goOn.TrySetResult();
            return isUsed ? _whole.Task.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System, Ct) : Task.CompletedTask;
        }

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            await _running;
        }

        private async Task RunAsync()
        {
            try
            {
                using var near = await _listener.AcceptTcpClientAsync(CancellationToken.None);
                using var far = new TcpClient();
                await far.ConnectAsync(IPAddress.Loopback, _port, CancellationToken.None);
                var request = new byte[4096];
                await far.GetStream().WriteAsync(request.AsMemory(0, await near.GetStream().ReadAsync(request)));
                var buffer = new byte[1 << 20];
                var first = await far.GetStream().ReadAsync(buffer);
                await near.GetStream().WriteAsync(buffer.AsMemory(0, first));
                await _goOn.Task;
                var held = new List<byte[]>();
                for (var taken = first; taken < Size;)
                {
                    var read = await far.GetStream().ReadAsync(buffer);
                    held.Add(buffer[..read]);
                    taken += read;
                }

                _whole.TrySetResult();
                foreach (var part in held)
                {
                    await near.GetStream().WriteAsync(part);
                }
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
            {
                // The client has gone, or never came.
            }
        }
    }
}
