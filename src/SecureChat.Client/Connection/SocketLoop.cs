using System.Net.WebSockets;
using System.Threading.Channels;
using SecureChat.Client.Accounts;
using SecureChat.Client.Messages;
using SecureChat.Protocol;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Connection;

/// <summary>
/// Keeps this device connected: takes envelopes in, acknowledges what is durable, comes back after whatever ends the socket.
/// Spec: docs/protocol/transport.md, docs/protocol/messages.md#delivery.
/// </summary>
internal sealed class SocketLoop(Device device, Inbox inbox)
{
    private const int AckBatch = 64;
    private const int CredentialsEnded = 4401;
    private const int ConnectedElsewhere = 4409;
    private const int ServerStops = 1001;

    private static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(50);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(120);

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private string? _offered;

    /// <summary>Done when the device is connected and everything that waited has been taken in.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Runs until cancelled, or until it must not come back by itself.</summary>
    /// <exception cref="SignedOutException">The device's credentials have ended.</exception>
    /// <exception cref="ConnectedElsewhereException">The same device connected from somewhere else.</exception>
    public async Task RunAsync(CancellationToken ct)
    {
        try
        {
            var backoff = new Backoff();
            string? refused = null;
            while (true)
            {
                var wait = backoff.Next();
                try
                {
                    var code = await RunOnceAsync(refused, backoff, ct);
                    refused = code == CredentialsEnded ? await device.Credentials.TokenAsync(null, ct) : null;
                    wait = code switch
                    {
                        ConnectedElsewhere => throw new ConnectedElsewhereException(),
                        ServerStops => Backoff.AfterStop,
                        _ => wait,
                    };
                }
                catch (Exception e) when (IsPassing(e, ct))
                {
                    // A handshake that fails may be about the token: the next one shows another.
                    refused = _offered;
                    wait = e is ServerException { RetryAfter: { } asked } ? asked + Backoff.AfterStop : wait;
                }

                await Task.Delay(wait, device.Options.Time, ct);
            }
        }
        catch (Exception e)
        {
            _ready.TrySetException(e);
            _ = _ready.Task.Exception;
            throw;
        }
    }

    private static bool IsPassing(Exception e, CancellationToken ct) =>
        !ct.IsCancellationRequested && e is WebSocketException or HttpRequestException or IOException or ServerException or OperationCanceledException;

    private async Task<int?> RunOnceAsync(string? refused, Backoff backoff, CancellationToken ct)
    {
        await using var socket = new ChatSocket(await OpenAsync(refused, ct));
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var frames = Channel.CreateBounded<ServerFrame>(Limits.UnackedWindow);
        var isConnected = false;
        var heard = new LastHeard(device.Options.Time);
        var pump = PumpAsync(socket, frames.Writer, heard, ends.Token);
        var pings = PingAsync(socket, heard, ends.Token);
        try
        {
            await foreach (var frame in frames.Reader.ReadAllAsync(ct))
            {
                if (frame.BodyCase == ServerFrame.BodyOneofCase.QueueEmpty && !isConnected)
                {
                    isConnected = true;
                    backoff.Reset();
                    device.Events.Pass(new ConnectionChanged(IsConnected: true));
                    device.Wake();
                    _ready.TrySetResult();
                }
                else if (frame.BodyCase == ServerFrame.BodyOneofCase.Deliver)
                {
                    await TakeInAsync(socket, frame.Deliver, frames.Reader, ct);
                }
            }

            await pump;
            return socket.CloseCode;
        }
        finally
        {
            await ends.CancelAsync();
            await socket.CloseAsync(CancellationToken.None);
            await Task.WhenAll(pump, pings).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            if (isConnected)
            {
                device.Events.Pass(new ConnectionChanged(IsConnected: false));
            }
        }
    }

    /// <summary>Takes one envelope in, and those that are there already; then acknowledges them together.</summary>
    private async Task TakeInAsync(ChatSocket socket, Deliver first, ChannelReader<ServerFrame> frames, CancellationToken ct)
    {
        var ack = new Ack();
        Deliver? next = first;
        while (next is not null)
        {
            if (next.Envelope is { } envelope)
            {
                await inbox.TakeInAsync(envelope, ct);
            }

            if (next.Position != 0)
            {
                ack.Positions.Add(next.Position);
            }

            next = null;
            if (ack.Positions.Count < AckBatch && frames.TryPeek(out var frame) && frame.BodyCase == ServerFrame.BodyOneofCase.Deliver
                && frames.TryRead(out frame))
            {
                next = frame.Deliver;
            }
        }

        if (ack.Positions.Count > 0)
        {
            await socket.SendAsync(new ClientFrame { Ack = ack }, ct);
        }
    }

    private static async Task PumpAsync(ChatSocket socket, ChannelWriter<ServerFrame> frames, LastHeard heard, CancellationToken ct)
    {
        Exception? broke = null;
        try
        {
            while (await socket.ReceiveAsync(ct) is { } frame)
            {
                heard.Now();
                await frames.WriteAsync(frame, ct);
            }
        }
        catch (Exception e)
        {
            broke = e;
            throw;
        }
        finally
        {
            frames.TryComplete(broke);
        }
    }

    /// <summary>Shows that we are there, and ends a connection on which nothing was heard for too long: after sleep, for example.</summary>
    private async Task PingAsync(ChatSocket socket, LastHeard heard, CancellationToken ct)
    {
        while (true)
        {
            await Task.Delay(PingEvery, device.Options.Time, ct);
            if (heard.Ago > Silence)
            {
                socket.Abort();
                return;
            }

            await socket.SendAsync(new ClientFrame { Request = 1, Ping = new Ping() }, ct);
        }
    }

    private async Task<WebSocket> OpenAsync(string? refused, CancellationToken ct)
    {
        var (network, address) = (device.Options.Network, device.Options.Server.SocketOrDefault);
        var token = await device.Credentials.TokenAsync(refused, ct);
        if (network.SendsHeaders)
        {
            _offered = token;
            var opened = await network.ConnectAsync(address, ChatSocket.Subprotocol, token, ct);
            _offered = null;
            return opened;
        }

        var ticket = await device.Credentials.WithTokenAsync(
            current => device.Api.SendAsync<object, SocketTicket>(HttpMethod.Post, "/v1/auth/ws-ticket", current, null, ct), ct);
        var withTicket = new UriBuilder(address) { Query = "ticket=" + ticket.Ticket }.Uri;
        return await network.ConnectAsync(withTicket, ChatSocket.Subprotocol, accessToken: null, ct);
    }

    private sealed class LastHeard(TimeProvider time)
    {
        private long _at = time.GetTimestamp();

        public TimeSpan Ago => time.GetElapsedTime(Volatile.Read(ref _at));

        public void Now() => Volatile.Write(ref _at, time.GetTimestamp());
    }
}

/// <summary>The same device is connected from somewhere else. This one stays away until it is told to come back.</summary>
#pragma warning disable CA1032 // There is one reason alone.
public sealed class ConnectedElsewhereException() : Exception("The device connected from somewhere else.");
#pragma warning restore CA1032
