using System.Net.WebSockets;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol;
using SecureChat.Server.Accounts;
using SecureChat.Server.Connections;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Connections;

/// <summary>Who says nothing, or takes nothing, does not keep a socket.</summary>
public sealed class SessionTickTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task T2_a_silent_client_is_asked_once_for_a_sign_of_life_and_then_closed_as_idle()
    {
        await using var node = await Node.StartAsync();
        var session = await OpenAsync(node);

        Assert.Equal([], session.After(TimeSpan.FromSeconds(50)));
        Assert.Equal(["ping"], session.After(TimeSpan.FromSeconds(6)));
        Assert.Equal([], session.After(TimeSpan.FromSeconds(30)));
        Assert.Equal(["close 4408"], session.After(TimeSpan.FromSeconds(40)));
        Assert.Equal(["abort"], session.After(TimeSpan.FromSeconds(6)));
    }

    [Fact]
    public async Task A_client_that_answers_is_asked_again_and_stays()
    {
        await using var node = await Node.StartAsync();
        var session = await OpenAsync(node);

        for (var minute = 0; minute < 10; minute++)
        {
            Assert.Equal(["ping"], session.After(TimeSpan.FromSeconds(60)));
            Assert.Equal([], session.After(TimeSpan.FromSeconds(1)));
            await session.HearAsync();
        }
    }

    [Fact]
    public async Task T2_a_client_that_takes_nothing_for_thirty_seconds_is_cut_off()
    {
        await using var node = await Node.StartAsync();
        var session = await OpenAsync(node);

        session.Waits();
        Assert.Equal([], session.After(TimeSpan.FromSeconds(29)));
        session.Waits();
        Assert.Equal([], session.After(TimeSpan.FromSeconds(24)));
        Assert.Equal(["abort"], session.After(TimeSpan.FromSeconds(7)));
    }

    [Fact]
    public async Task A_connection_that_fails_while_it_is_looked_after_stops_neither_the_others_nor_the_server()
    {
        await using var node = await Node.StartAsync();
        var broken = await OpenAsync(node);
        var other = await OpenAsync(node);
        broken.FailsToAbort = true;
        broken.Waits();

        for (var seconds = 0; seconds < 60; seconds++)
        {
            node.Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, Ct);
        }

        await other.Pinged.WaitAsync(TimeSpan.FromSeconds(20), Ct);
        Assert.False(node.Get<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);
    }

    [Fact]
    public async Task Aborting_a_connection_whose_request_is_over_does_nothing()
    {
        await using var node = await Node.StartAsync();
        var context = new DefaultHttpContext();
        var session = new AspNetSession(
            context, WebSocket.CreateFromStream(Stream.Null, new WebSocketCreationOptions { IsServer = true }),
            new Caller(new DeviceAddress(Ids.New(), 1), 7), isJson: false, node.Get<SessionTable>());
        await session.RunAsync();

        // As the server does before it uses the context for another request.
        context.Uninitialize();

        session.Abort();
    }

    private static async Task<Recorded> OpenAsync(Node node)
    {
        var session = new Recorded(node.Clock, node.Get<SessionTable>());
        await session.OpenAsync(Ct);
        session.After(TimeSpan.Zero);
        return session;
    }

    /// <summary>A session that leads nowhere and tells what was done with it.</summary>
    private sealed class Recorded(FakeTimeProvider clock, SessionTable table)
        : ClientSession(new Caller(new DeviceAddress(Ids.New(), 1), 7), isJson: false, table)
    {
        private readonly List<string> _done = [];
        private readonly TaskCompletionSource _pinged = new();

        private long _waitingSince;

        public override bool IsCongested => _waitingSince != 0;

        public bool FailsToAbort { get; set; }

        public Task Pinged => _pinged.Task;

        protected override long WaitingSince => _waitingSince;

        /// <summary>Data waits, of which the client has just taken some.</summary>
        public void Waits() => _waitingSince = clock.GetTimestamp();

        /// <summary>What happens at the tick after that time. Only the clock is set, so the table's own timer does not run.</summary>
        public List<string> After(TimeSpan time)
        {
            _done.Clear();
            clock.AdjustTime(clock.GetUtcNow() + time);
            Tick(clock.GetTimestamp());
            return [.. _done];
        }

        public Task HearAsync() => ReceiveAsync([], isText: false).AsTask();

        public override void Abort()
        {
            ObjectDisposedException.ThrowIf(FailsToAbort, this);
            _done.Add("abort");
        }

        protected override void Append(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail)
        {
        }

        protected override void AppendClose(CloseCode code) => _done.Add($"close {(int)code}");

        protected override void BeginFlush()
        {
        }

        protected override void Ping()
        {
            _done.Add("ping");
            _pinged.TrySetResult();
        }
    }
}
