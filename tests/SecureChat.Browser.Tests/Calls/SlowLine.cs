using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.Playwright;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>Stands between two pages and the server: tells each that the other was there first, and hands their signals over late.</summary>
internal sealed class SlowLine : IAsyncDisposable
{
    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _over = new();
    private readonly List<JsonNode> _joined = [];
    private readonly List<IWebSocketRoute> _near = [];
    private readonly List<Task> _deliveries = [];

    public Task PutBetweenAsync(IPage page) => page.RouteWebSocketAsync("**/ws/rooms", near =>
    {
        var far = near.ConnectToServer();
        var late = Channel.CreateUnbounded<string>();
        _deliveries.Add(DeliverAsync(late.Reader, near));
        far.OnMessage(message =>
        {
            var frame = JsonNode.Parse(message.Text!)!;
            if (frame["joined"] is { } joined)
            {
                Introduce(near, frame, joined);
            }
            else if (frame["signal"] is not null)
            {
                late.Writer.TryWrite(message.Text!);
            }
            else if (frame["peerJoined"] is null)
            {
                near.Send(message.Text!);
            }
        });
    });

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await Task.WhenAll(_deliveries);
        _over.Dispose();
    }

    // Held back until both are there.
    private void Introduce(IWebSocketRoute near, JsonNode frame, JsonNode joined)
    {
        lock (_joined)
        {
            _near.Add(near);
            _joined.Add(frame);
            if (_joined.Count < 2)
            {
                return;
            }

            _joined[0]["joined"]!["peers"] = new JsonArray((uint)joined["peer"]!);
            foreach (var (to, what) in _near.Zip(_joined))
            {
                to.Send(what.ToJsonString());
            }
        }
    }

    private async Task DeliverAsync(ChannelReader<string> late, IWebSocketRoute near)
    {
        try
        {
            await foreach (var signal in late.ReadAllAsync(_over.Token))
            {
                await Task.Delay(Delay, TimeProvider.System, _over.Token);
                near.Send(signal);
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }
}
