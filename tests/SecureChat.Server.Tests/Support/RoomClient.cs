using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Tests.Documentation;

namespace SecureChat.Server.Tests.Support;

/// <summary>A client's end of a room's socket.</summary>
internal sealed class RoomClient(WebSocket socket, bool isJson) : IAsyncDisposable
{
    private ulong _requests;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>The client's number in its room.</summary>
    public uint Peer { get; private set; }

    /// <summary>Who was there already.</summary>
    public IReadOnlyList<uint> Others { get; private set; } = [];

    /// <summary>What the answer to joining offered for the media.</summary>
    public IReadOnlyList<IceServer> Relays { get; private set; } = [];

    public static byte[] NewCapability() => RandomNumberGenerator.GetBytes(32);

    public static async Task<RoomClient> ConnectAsync(int port, bool isJson = false, params (string Name, string Value)[] headers)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(isJson ? "securechat.rooms.v1.json" : "securechat.rooms.v1.proto");
        foreach (var (name, value) in headers)
        {
            socket.Options.SetRequestHeader(name, value);
        }

        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}/ws/rooms"), Ct);
        return new RoomClient(socket, isJson);
    }

    /// <summary>On a server without ports.</summary>
    public static async Task<RoomClient> ConnectAsync(Node node)
    {
        var sockets = node.Sockets;
        sockets.SubProtocols.Add("securechat.rooms.v1.proto");
        return new RoomClient(await sockets.ConnectAsync(new Uri("ws://localhost/ws/rooms"), Ct), isJson: false);
    }

    /// <summary>Connects and joins.</summary>
    public static async Task<RoomClient> JoinAsync(int port, byte[] capability, bool isJson = false)
    {
        var client = await ConnectAsync(port, isJson);
        await client.JoinAsync(capability);
        return client;
    }

    /// <inheritdoc cref="JoinAsync(int, byte[], bool)"/>
    public static async Task<RoomClient> JoinAsync(Node node, byte[] capability)
    {
        var client = await ConnectAsync(node);
        await client.JoinAsync(capability);
        return client;
    }

    public async Task JoinAsync(byte[] capability)
    {
        var joined = (await AskAsync(Join(capability))).Joined;
        Assert.NotNull(joined);
        (Peer, Others, Relays) = (joined.Peer, [.. joined.Peers], [.. joined.Relays]);
    }

    public static RoomClientFrame Join(byte[] capability, string proof = "") =>
        new() { Join = new JoinRoom { Capability = ByteString.CopyFrom(capability), Proof = proof } };

    public static RoomClientFrame Signal(uint to, string content) =>
        new() { Signal = new RoomSignal { Peer = to, Content = ByteString.CopyFromUtf8(content) } };

    /// <summary>Sends a request and reads the next frame, which must answer it.</summary>
    public async Task<RoomServerFrame> AskAsync(RoomClientFrame frame)
    {
        frame.Request = ++_requests;
        await SendAsync(frame);
        var answer = await NextAsync();
        Assert.Equal(frame.Request, answer.Request);
        return answer;
    }

    public Task SendAsync(RoomClientFrame frame) => isJson
        ? SendAsync(Encoding.UTF8.GetBytes(Held("RoomClientFrame", JsonFormatter.Default.Format(frame))), isText: true)
        : SendAsync(frame.ToByteArray(), isText: false);

    public Task SendAsync(byte[] message, bool isText) =>
        socket.SendAsync(message, isText ? WebSocketMessageType.Text : WebSocketMessageType.Binary, true, Ct);

    /// <summary>The next frame; null once the server has closed.</summary>
    public async Task<RoomServerFrame?> TryNextAsync()
    {
        var (message, buffer) = (new MemoryStream(), new byte[16 * 1024]);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer, patience.Token);
            if (part.MessageType is WebSocketMessageType.Close)
            {
                return null;
            }

            message.Write(buffer.AsSpan(0, part.Count));
            if (part.EndOfMessage)
            {
                return isJson
                    ? JsonParser.Default.Parse<RoomServerFrame>(Held("RoomServerFrame", Encoding.UTF8.GetString(message.ToArray())))
                    : RoomServerFrame.Parser.ParseFrom(message.ToArray());
            }
        }
    }

    public async Task<RoomServerFrame> NextAsync() =>
        await TryNextAsync() ?? throw new InvalidOperationException($"The server closed with {socket.CloseStatus}.");

    /// <summary>The next signal: from whom, and what it says.</summary>
    public async Task<(uint From, string Content)> NextSignalAsync()
    {
        var frame = await NextAsync();
        Assert.Equal(RoomServerFrame.BodyOneofCase.Signal, frame.BodyCase);
        return (frame.Signal.Peer, frame.Signal.Content.ToStringUtf8());
    }

    /// <summary>Who joined, by the next frame.</summary>
    public async Task<uint> NextJoinedAsync() => (await NextAsync()).PeerJoined?.Peer ?? throw new InvalidOperationException("Nobody joined.");

    /// <summary>Who left, by the next frame.</summary>
    public async Task<uint> NextLeftAsync() => (await NextAsync()).PeerLeft?.Peer ?? throw new InvalidOperationException("Nobody left.");

    /// <summary>Reads until the server closes and returns its code.</summary>
    public async Task<int> CloseCodeAsync()
    {
        while (await TryNextAsync() is not null)
        {
        }

        return (int)socket.CloseStatus!.Value;
    }

    public Task CloseAsync() => socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Ct);

    /// <summary>Leaves without a word.</summary>
    public void Abort() => socket.Abort();

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        return ValueTask.CompletedTask;
    }

    // Every JSON frame of the test run is held against the published description of the socket.
    private static string Held(string type, string json)
    {
        Assert.Empty(SocketSchema.Problems(type, json));
        return json;
    }
}
