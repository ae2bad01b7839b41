using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Connections;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Connections;

/// <summary>Who reads slowly, or nothing, or says nothing: over TCP, with small buffers at the client's end.</summary>
public sealed class SlowReaderTests
{
    private const int ReceiveBuffer = 8 * 1024;
    private const int ContentBytes = 60_000;
    private const int WindowBytes = 1 << 20;

    private readonly FakeTimeProvider _clock = new(TimeProvider.System.GetUtcNow());

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, InlineData(false), InlineData(true)]
    public async Task T2_a_reader_that_takes_nothing_for_thirty_seconds_is_cut_off_and_loses_nothing(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync(_clock);
        var (port, bob) = (bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());
        await LeaveMailAsync(node, bob, 10);
        await using var stuck = await ChatSocket.ConnectAsync(port, bob, receiveBuffer: ReceiveBuffer);

        // Far less than the two minutes after which silence alone ends a socket.
        var (sessions, seconds) = (node.Get<SessionTable>(), 0);
        await Eventually.IsAsync(1, () => Task.FromResult(sessions.Count));
        for (; seconds < 70 && sessions.Count > 0; seconds++)
        {
            await PassAsync(seconds: 1);
        }

        Assert.Equal(0, sessions.Count);
        Assert.InRange(seconds, 30, 70);
        await Assert.ThrowsAnyAsync<Exception>(stuck.CloseCodeAsync);
        Assert.Null(stuck.CloseStatus);
        await using var again = await ChatSocket.ConnectAsync(port, bob);
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(ContentBytes, (await again.NextDeliveryAsync()).Envelope.Content.Length);
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_reader_of_twenty_kilobytes_a_second_stays_and_gets_everything(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync(_clock);
        var (port, bob) = (bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());
        await LeaveMailAsync(node, bob, 30);
        await using var slow = await ChatSocket.ConnectAsync(port, bob, receiveBuffer: ReceiveBuffer);

        var received = new List<ulong>();
        while ((await slow.NextAsync()).Deliver is { } delivered)
        {
            received.Add(delivered.Position);
            await slow.AckAsync(delivered.Position);
            for (var second = 0; second < 3; second++)
            {
                await PassAsync(seconds: 1);
            }
        }

        // What was on its way for long may come again, but not so much that a slow reader never gets to the end.
        Assert.Equal(30, received.Distinct().Count());
        Assert.InRange(received.Count, 30, 40);
        await slow.SendAsync(new ClientFrame { Ping = new Ping() });
        while (await slow.NextAsync() is { Pong: null })
        {
            // Copies that were on their way.
        }

        Assert.Empty(await node.Get<IMessageQueue>().ReadAsync(bob.Address, 0, 1, Ct));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_reader_that_takes_nothing_is_written_one_window_and_loses_nothing(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync();
        var (port, bob) = (bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(port, await node.NewDeviceAsync());
        await using var slow = await ChatSocket.ConnectAsync(port, bob, receiveBuffer: ReceiveBuffer);
        for (var i = 0; i < 60; i++)
        {
            await from.SendMessageAsync(ChatSocket.Message(new byte[ContentBytes], bob));
            Assert.NotNull((await from.NextAsync()).Accepted);
        }

        // Nothing is acknowledged: what comes before the answer to a ping is all that was ever written for this socket.
        await slow.SendAsync(new ClientFrame { Ping = new Ping() });
        var written = new List<ulong>();
        while (await slow.NextAsync() is { Pong: null } frame)
        {
            if (frame.Deliver is { } delivered)
            {
                written.Add(delivered.Position);
            }
        }

        Assert.InRange(written.Count * ContentBytes, ContentBytes, WindowBytes + ContentBytes);
        await slow.AckAsync([.. written]);
        for (var left = 60 - written.Count; left > 0; left--)
        {
            var delivered = await slow.NextDeliveryAsync();
            Assert.True(delivered.Position > written[^1], "No position comes twice.");
            written.Add(delivered.Position);
            await slow.AckAsync(delivered.Position);
        }

        Assert.Equal(0, await Eventually.IsAsync(0L, () => node.Get<IMessageQueue>().CountAsync(Ct)));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task T2_a_client_that_says_nothing_for_two_minutes_is_told_so_and_closed(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync(_clock);
        await using var silent = await ChatSocket.ReadyAsync(bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());

        // Nobody reads meanwhile, so nobody answers a ping. In steps: what was sent last must be known to be sent before half a minute is over.
        for (var seconds = 0; seconds < 115; seconds += 5)
        {
            await PassAsync(seconds: 5);
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Ct);
        }

        Assert.Equal(1, node.Get<SessionTable>().Count);
        await PassAsync(seconds: 6);

        Assert.Equal(4408, await silent.CloseCodeAsync());
    }

    private static async Task LeaveMailAsync(LoopbackNode node, ChatDevice to, int count)
    {
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, await node.NewDeviceAsync());
        for (var i = 0; i < count; i++)
        {
            await from.SendMessageAsync(ChatSocket.Message(new byte[ContentBytes], to));
            Assert.NotNull((await from.NextAsync()).Accepted);
        }

        from.Abort();
        Assert.Equal(0, await Eventually.IsAsync(0, () => Task.FromResult(node.Get<SessionTable>().Count)));
    }

    // The sockets are real: what the clock set off needs a moment.
    private async Task PassAsync(int seconds)
    {
        _clock.Advance(TimeSpan.FromSeconds(seconds));
        await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Ct);
    }
}
