using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;

namespace SecureChat.Scenarios.Support;

/// <summary>A hostile client: garbage of every kind, at a steady number of bytes per second.</summary>
internal sealed class Flood(ServerProcess server, IReadOnlyList<string> accessTokens)
{
    /// <summary>What all of it together keeps to.</summary>
    public const int BytesPerSecond = 20_000_000;

    private readonly ConcurrentDictionary<string, int> _outcomes = new();
    private readonly TimeProvider _time = TimeProvider.System;
    private CancellationTokenSource? _end;
    private long _amount;
    private long _paid;
    private long _sent;
    private long _began;

    /// <summary>What the server answered to the garbage, counted.</summary>
    public IReadOnlyDictionary<string, int> Outcomes => _outcomes;

    /// <summary>Bytes whose sending has ended.</summary>
    public long BytesSent => Interlocked.Read(ref _sent);

    /// <summary>Floods until <paramref name="amount"/> bytes are sent, or until <paramref name="end"/> says so.</summary>
    public async Task RunAsync(long amount, CancellationTokenSource end)
    {
        (_began, _amount, _end) = (_time.GetTimestamp(), amount, end);
        var stop = end.Token;
        await Task.WhenAll(
            FramesAsync(accessTokens[0], 120 * 1024, stop),
            FramesAsync(accessTokens[1], 512 * 1024, stop),
            FramesAsync(accessTokens[2], 40, stop),
            RequestsAsync("/v1/messages", authorised: true, BrokenJson, stop),
            RequestsAsync("/v1/messages", authorised: true, DeepJson, stop),
            RequestsAsync("/v1/auth/register", authorised: false, BrokenJson, stop),
            RequestsAsync("/v1/keys/fetch", authorised: true, Oversize, stop, asksFirst: true),
            RequestsAsync("/v1/messages", authorised: true, Oversize, stop),
            RawBytesAsync(server.Api.Port, stop),
            RawBytesAsync(server.Socket.Port, stop));
    }

    // Garbage frames on an authenticated socket; a new connection each time the server has had enough.
    private async Task FramesAsync(string accessToken, int size, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var socket = await ChatSocket.ConnectAsync(server.Socket, accessToken, stop);
                await WriteUntilClosedAsync(socket, size, stop);
                await socket.Ended.WaitAsync(stop);
                Count(socket.CloseCode is { } code ? $"closed {code}" : "connection lost");
            }
            catch (Exception e) when (IsEnd(e))
            {
                Count(e is OperationCanceledException ? "stopped" : "connection lost");
            }
        }
    }

    private async Task WriteUntilClosedAsync(ChatSocket socket, int size, CancellationToken stop)
    {
        try
        {
            while (!socket.Ended.IsCompleted)
            {
                await PaceAsync(size, stop);
                await socket.WriteAsync(RandomNumberGenerator.GetBytes(size), stop);
                Sent(size);

                // A moment to read why: who writes into a closed connection loses the close frame to the reset.
                await Task.WhenAny(socket.Ended, Task.Delay(TimeSpan.FromMilliseconds(5), _time, stop));
            }
        }
        catch (WebSocketException)
        {
            // The caller looks at the close code.
        }
    }

    private async Task RequestsAsync(
        string path, bool authorised, Func<byte[]> body, CancellationToken stop, bool asksFirst = false)
    {
        using var http = new HttpClient { BaseAddress = server.Api };
        http.DefaultRequestHeaders.Authorization = authorised ? new AuthenticationHeaderValue("Bearer", accessTokens[0]) : null;
        http.DefaultRequestHeaders.ExpectContinue = asksFirst;
        while (!stop.IsCancellationRequested)
        {
            var bytes = body();
            try
            {
                await PaceAsync(bytes.Length, stop);
                using var content = new ByteArrayContent(bytes);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                using var answer = await http.PostAsync(new Uri(path, UriKind.Relative), content, stop);

                // Who asks first is told no before it sends.
                Sent(asksFirst ? 0 : bytes.Length);
                Count(Describe(answer));
            }
            catch (Exception e) when (IsEnd(e))
            {
                // An upload that was refused before it was read ends in a reset of the connection.
                Count(e is OperationCanceledException ? "stopped" : "connection lost");
            }
        }
    }

    private async Task RawBytesAsync(int port, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port, stop);
                for (var i = 0; i < 8; i++)
                {
                    await PaceAsync(16 * 1024, stop);
                    await client.GetStream().WriteAsync(RandomNumberGenerator.GetBytes(16 * 1024), stop);
                    Sent(16 * 1024);
                }

                Count("raw bytes taken");
            }
            catch (Exception e) when (IsEnd(e))
            {
                Count(e is OperationCanceledException ? "stopped" : "connection lost");
            }
        }
    }

    private void Sent(int bytes)
    {
        if (Interlocked.Add(ref _sent, bytes) >= _amount)
        {
            _end!.Cancel();
        }
    }

    // All attackers together keep to the rate: bytes are paid for before they are sent.
    private async Task PaceAsync(int bytes, CancellationToken stop)
    {
        var due = TimeSpan.FromSeconds((double)Interlocked.Add(ref _paid, bytes) / BytesPerSecond);
        var early = due - _time.GetElapsedTime(_began);
        if (early > TimeSpan.Zero)
        {
            await Task.Delay(early, _time, stop);
        }
    }

    private static string Describe(HttpResponseMessage answer)
    {
        var status = ((int)answer.StatusCode).ToString(CultureInfo.InvariantCulture);
        return answer.Content.Headers.ContentType?.MediaType is "application/problem+json" ? status : $"{status} without a problem";
    }

    private static bool IsEnd(Exception e) =>
        e is WebSocketException or HttpRequestException or IOException or SocketException or OperationCanceledException;

    private void Count(string outcome) => _outcomes.AddOrUpdate(outcome, 1, (_, count) => count + 1);

    private static byte[] BrokenJson() =>
        Encoding.UTF8.GetBytes("{\"id\":\"" + RandomNumberGenerator.GetHexString(40_000) + "\",\"recipients\":[{{");

    private static byte[] DeepJson() => Encoding.UTF8.GetBytes(new string('[', 60_000));

    private static byte[] Oversize() => RandomNumberGenerator.GetBytes(2_000_000);
}
