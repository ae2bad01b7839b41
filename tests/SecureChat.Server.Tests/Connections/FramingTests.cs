using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Connections;

/// <summary>RFC 6455 byte by byte, the cases of the usual conformance suite, on both ports.</summary>
public sealed class FramingTests(SharedNode shared) : IClassFixture<SharedNode>
{
    private const string Upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Protocol: securechat.v1.proto\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    private static readonly byte[] PingFrame = new ClientFrame { Request = 5, Ping = new Ping() }.ToByteArray();

    public static TheoryData<bool, string, int> Violations
    {
        get
        {
            var data = new TheoryData<bool, string, int>();
            foreach (var bare in new[] { false, true })
            {
                foreach (var (name, code) in new[]
                {
                    ("unmasked", 1002), ("reserved bit 1", 1002), ("reserved bit 2", 1002), ("reserved bit 3", 1002),
                    ("opcode 3", 1002), ("opcode 7", 1002), ("opcode 11", 1002), ("opcode 15", 1002),
                    ("ping of 126 bytes", 1002), ("fragmented ping", 1002), ("fragmented close", 1002),
                    ("continuation of nothing", 1002), ("second message inside a fragmented one", 1002),
                    ("negative length", 1002), ("close of one byte", 1002), ("close with 1005", 1002), ("close with 999", 1002),
                    ("close with a reason that is no text", 1002), ("message too big", 1009), ("fragments too big", 1009),
                    ("text on the binary subprotocol", 1003), ("no protobuf", 1007),
                })
                {
                    data.Add(bare, name, code);
                }
            }

            return data;
        }
    }

    [Theory, MemberData(nameof(Violations))]
    public async Task T4_a_violation_ends_the_connection_with_its_close_code(bool bare, string name, int code)
    {
        var node = shared.Node;
        await using var wire = await RawSocket.OpenAsync(bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());

        await wire.SendAsync(Violate(name));

        Assert.Equal(code, await wire.CloseCodeAsync());
    }

    [Theory, InlineData(false, "not UTF-8"), InlineData(true, "not UTF-8"), InlineData(false, "no JSON"), InlineData(true, "no JSON")]
    public async Task Text_that_is_no_frame_ends_the_connection(bool bare, string name)
    {
        var node = shared.Node;
        await using var wire = await RawSocket.OpenAsync(bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync(), isJson: true);

        await wire.SendAsync(Frame(0x81, name == "no JSON" ? "{\"ping\":"u8 : [0xCE, 0xBA, 0xED, 0xA0, 0x80]));

        Assert.Equal(1007, await wire.CloseCodeAsync());
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task Frames_may_be_cut_anywhere_and_come_many_at_once(bool bare)
    {
        var node = shared.Node;
        await using var wire = await RawSocket.OpenAsync(bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());
        byte[] pings = [.. Frame(0x82, PingFrame), .. Frame(0x82, PingFrame), .. Frame(0x82, PingFrame)];

        await wire.SendAsync(pings);
        for (var i = 0; i < 3; i++)
        {
            Assert.NotNull((await wire.NextFrameAsync()).Pong);
        }

        foreach (var one in pings)
        {
            await wire.SendAsync([one]);
        }

        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(5ul, (await wire.NextFrameAsync()).Request);
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_message_may_come_in_fragments_with_control_frames_in_between(bool bare)
    {
        var node = shared.Node;
        await using var wire = await RawSocket.OpenAsync(bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());

        await wire.SendAsync(
        [
            .. Frame(0x02, PingFrame.AsSpan(0, 1)), .. Frame(0x89, "are you there?"u8), .. Frame(0x00, []), .. Frame(0x8A, "unasked"u8),
            .. Frame(0x80, PingFrame.AsSpan(1)),
        ]);

        var (opcode, payload) = await wire.NextAsync();
        Assert.Equal((0x8A, "are you there?"), (opcode, Encoding.UTF8.GetString(payload)));
        Assert.NotNull((await wire.NextFrameAsync()).Pong);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_farewell_is_answered(bool bare)
    {
        var node = shared.Node;
        await using var wire = await RawSocket.OpenAsync(bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());

        await wire.SendAsync(Frame(0x88, [0x03, 0xE8, .. "bye ✓"u8]));

        Assert.Equal(1000, await wire.CloseCodeAsync());
    }

    [Theory]
    [InlineData(126), InlineData(127), InlineData(128), InlineData(65535), InlineData(65536), InlineData(98304)]
    public async Task Every_length_of_content_arrives_as_it_was_sent(int length)
    {
        var node = shared.Node;
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        var content = RandomNumberGenerator.GetBytes(length);
        foreach (var port in new[] { node.ApiPort, node.SocketPort })
        {
            await using var from = await ChatSocket.ReadyAsync(port, alice);
            await using var to = await ChatSocket.ReadyAsync(port, bob);

            await from.SendMessageAsync(ChatSocket.Message(content, bob));

            var delivered = await to.NextDeliveryAsync();
            Assert.Equal(content, delivered.Envelope.Content.ToByteArray());
            await to.AckAsync(delivered.Position);
            Assert.NotNull((await from.NextAsync()).Accepted);
            from.Abort();
            to.Abort();
        }
    }

    [Theory]
    [InlineData("GET /ws HTTP/1.1\r\n" + Upgrade, 400)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: a\r\n" + Upgrade, 401)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + Upgrade, 400)]
    [InlineData("GET /ws HTTP/1.1\nHost: a\n\n", 0)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: a\r\n Folded: b\r\n" + Upgrade, 400)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: a\r\nX: \u0001\r\n" + Upgrade, 400)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: a\r\nX : b\r\n" + Upgrade, 400)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: a\r\nX: b\nTransfer-Encoding: chunked\r\n" + Upgrade, 400)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" + Upgrade + "hello", 400)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n" + Upgrade, 400)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + Upgrade, 400)]
    [InlineData("GET /ws HTTP/1.0\r\nHost: a\r\n" + Upgrade, 400)]
    [InlineData("POST /ws HTTP/1.1\r\nHost: a\r\n" + Upgrade, 400)]
    [InlineData("GET /other HTTP/1.1\r\nHost: a\r\n\r\n", 404)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n", 400)]
    public async Task T3_a_handshake_with_a_mistake_is_refused(string request, int status)
    {
        var node = shared.Node;
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, node.SocketPort, TestContext.Current.CancellationToken);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), TestContext.Current.CancellationToken);
        if (status == 0)
        {
            // No line end in it: the server still waits for one when the client gives up.
            client.Client.Shutdown(SocketShutdown.Send);
        }

        var answer = await new StreamReader(stream).ReadToEndAsync(TestContext.Current.CancellationToken);

        Assert.StartsWith(status == 0 ? "" : $"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Equal(status == 0, answer.Length == 0);
    }

    [Fact]
    public async Task T2_a_handshake_of_endless_headers_is_cut_off()
    {
        var node = shared.Node;
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, node.SocketPort, TestContext.Current.CancellationToken);

        await client.GetStream().WriteAsync(
            Encoding.ASCII.GetBytes("GET /ws HTTP/1.1\r\nX: " + new string('a', 9000)), TestContext.Current.CancellationToken);

        var answer = await new StreamReader(client.GetStream()).ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
    }

    private static byte[] Violate(string name) => name switch
    {
        "unmasked" => [0x82, 0x10, .. new byte[16]],
        "reserved bit 1" => Frame(0xC2, PingFrame),
        "reserved bit 2" => Frame(0xA2, PingFrame),
        "reserved bit 3" => Frame(0x92, PingFrame),
        "opcode 3" => Frame(0x83, PingFrame),
        "opcode 7" => Frame(0x87, PingFrame),
        "opcode 11" => Frame(0x8B, []),
        "opcode 15" => Frame(0x8F, []),
        "ping of 126 bytes" => Frame(0x89, new byte[126]),
        "fragmented ping" => Frame(0x09, []),
        "fragmented close" => Frame(0x08, []),
        "continuation of nothing" => Frame(0x80, PingFrame),
        "second message inside a fragmented one" => [.. Frame(0x02, PingFrame), .. Frame(0x82, PingFrame)],
        "negative length" => [0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4],
        "close of one byte" => Frame(0x88, [0x03]),
        "close with 1005" => Frame(0x88, [0x03, 0xED]),
        "close with 999" => Frame(0x88, [0x03, 0xE7]),
        "close with a reason that is no text" => Frame(0x88, [0x03, 0xE8, 0xCE, 0xBA, 0xED, 0xA0, 0x80]),
        "message too big" => Frame(0x82, new byte[(128 * 1024) + 1]),
        "fragments too big" => [.. Frame(0x02, new byte[100 * 1024]), .. Frame(0x80, new byte[30 * 1024])],
        "text on the binary subprotocol" => Frame(0x81, "{}"u8),
        "no protobuf" => Frame(0x82, [0xFF, 0xFF, 0xFF]),
        _ => throw new ArgumentException(name, nameof(name)),
    };

    internal static byte[] Frame(byte first, ReadOnlySpan<byte> payload)
    {
        byte[] length = payload.Length switch
        {
            <= 125 => [(byte)(0x80 | payload.Length)],
            <= ushort.MaxValue => [0xFE, (byte)(payload.Length >> 8), (byte)payload.Length],
            _ => [0xFF, 0, 0, 0, 0, 0, (byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length],
        };
        var mask = RandomNumberGenerator.GetBytes(4);
        var masked = payload.ToArray();
        for (var i = 0; i < masked.Length; i++)
        {
            masked[i] ^= mask[i % 4];
        }

        return [first, .. length, .. mask, .. masked];
    }
}

/// <summary>A WebSocket of which the test writes every byte itself.</summary>
internal sealed class RawSocket : IAsyncDisposable
{
    private readonly TcpClient _client;
    private readonly Stream _stream;

    private RawSocket(TcpClient client) => (_client, _stream) = (client, client.GetStream());

    public static async Task<RawSocket> OpenAsync(int port, ChatDevice device, bool isJson = false)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, port, TestContext.Current.CancellationToken);
        var socket = new RawSocket(client);
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
            $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
            $"Sec-WebSocket-Protocol: securechat.v1.{(isJson ? "json" : "proto")}\r\nAuthorization: Bearer {device.AccessToken}\r\n\r\n"));
        var answer = await socket.ReadHeadAsync();
        Assert.StartsWith("HTTP/1.1 101 ", answer, StringComparison.Ordinal);
        Assert.Contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", answer, StringComparison.Ordinal);
        if (isJson)
        {
            Assert.Equal(0x81, (await socket.NextAsync()).Opcode);
        }
        else
        {
            Assert.NotNull((await socket.NextFrameAsync()).QueueEmpty);
        }

        return socket;
    }

    public async Task SendAsync(byte[] bytes)
    {
        try
        {
            await _stream.WriteAsync(bytes, TestContext.Current.CancellationToken);
        }
        catch (IOException)
        {
            // Cut off in the middle of what the server will not have.
        }
    }

    public async Task<ServerFrame> NextFrameAsync()
    {
        var (opcode, payload) = await NextAsync();
        Assert.Equal(0x82, opcode);
        return ServerFrame.Parser.ParseFrom(payload);
    }

    public async Task<(int Opcode, byte[] Payload)> NextAsync()
    {
        var head = await ReadAsync(2);
        Assert.Equal(0, head[1] & 0x80);
        var length = head[1] switch
        {
            126 => BinaryPrimitives.ReadUInt16BigEndian(await ReadAsync(2)),
            127 => (int)BinaryPrimitives.ReadInt64BigEndian(await ReadAsync(8)),
            _ => head[1],
        };
        return (head[0], await ReadAsync(length));
    }

    /// <summary>The code of the close frame, whatever comes before it.</summary>
    public async Task<int> CloseCodeAsync()
    {
        while (true)
        {
            var (opcode, payload) = await NextAsync();
            if (opcode == 0x88)
            {
                return BinaryPrimitives.ReadUInt16BigEndian(payload);
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<string> ReadHeadAsync()
    {
        var head = new StringBuilder();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            head.Append((char)(await ReadAsync(1))[0]);
        }

        return head.ToString();
    }

    private async Task<byte[]> ReadAsync(int count)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        var bytes = new byte[count];
        await _stream.ReadExactlyAsync(bytes, patience.Token);
        return bytes;
    }
}
