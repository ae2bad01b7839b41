using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Tests.Documentation;

namespace SecureChat.Server.Tests.Support;

/// <summary>A device's end of the socket: frames out, frames in.</summary>
internal sealed class ChatSocket : IAsyncDisposable
{
    private readonly ClientWebSocket _socket;
    private readonly ChatDevice _device;
    private readonly bool _isJson;
    private ulong _requests;

    private ChatSocket(ClientWebSocket socket, ChatDevice device, bool isJson) => (_socket, _device, _isJson) = (socket, device, isJson);

    public WebSocketCloseStatus? CloseStatus => _socket.CloseStatus;

    /// <param name="receiveBuffer">What this computer takes before anybody reads it; 0: what the system thinks best.</param>
    public static async Task<ChatSocket> ConnectAsync(int port, ChatDevice device, bool isJson = false, int receiveBuffer = 0)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", $"Bearer {device.AccessToken}");
        socket.Options.AddSubProtocol(isJson ? "securechat.v1.json" : "securechat.v1.proto");
        using var connections = new HttpMessageInvoker(new SocketsHttpHandler { ConnectCallback = (to, ct) => DialAsync(to, receiveBuffer, ct) });
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}/ws"), connections, TestContext.Current.CancellationToken);
        return new ChatSocket(socket, device, isJson);
    }

    /// <summary>Connects and waits until the backlog, which must be empty, has been sent.</summary>
    public static async Task<ChatSocket> ReadyAsync(int port, ChatDevice device, bool isJson = false)
    {
        var socket = await ConnectAsync(port, device, isJson);
        Assert.Equal(ServerFrame.BodyOneofCase.QueueEmpty, (await socket.NextAsync()).BodyCase);
        return socket;
    }

    public async Task SendAsync(ClientFrame frame)
    {
        Assert.Empty(SocketSchema.Problems(frame));
        if (_isJson)
        {
            await SendTextAsync(JsonFormatter.Default.Format(frame));
        }
        else
        {
            await SendBinaryAsync(frame.ToByteArray());
        }
    }

    public Task SendTextAsync(string text) =>
        _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, TestContext.Current.CancellationToken);

    public Task SendBinaryAsync(byte[] bytes) =>
        _socket.SendAsync(bytes, WebSocketMessageType.Binary, true, TestContext.Current.CancellationToken);

    /// <summary>Sends a message and returns its request number.</summary>
    public async Task<ulong> SendMessageAsync(Send send)
    {
        await SendAsync(new ClientFrame { Request = ++_requests, Send = send });
        return _requests;
    }

    public Task AckAsync(params ulong[] positions) => SendAsync(new ClientFrame { Ack = new Ack { Positions = { positions } } });

    /// <summary>The next frame; null once the server has closed.</summary>
    public async Task<ServerFrame?> TryNextAsync()
    {
        var message = new MemoryStream();
        var buffer = new byte[16 * 1024];
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        while (true)
        {
            var part = await _socket.ReceiveAsync(buffer, patience.Token);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            message.Write(buffer.AsSpan(0, part.Count));
            if (part.EndOfMessage)
            {
                return Held(message.ToArray(), _isJson);
            }
        }
    }

    public async Task<ServerFrame> NextAsync() =>
        await TryNextAsync() ?? throw new InvalidOperationException($"The server closed with {_socket.CloseStatus}.");

    public async Task<Deliver> NextDeliveryAsync() => (await NextAsync()).Deliver ?? throw new InvalidOperationException("No delivery.");

    /// <summary>Reads until the server closes and returns its code.</summary>
    public async Task<int> CloseCodeAsync()
    {
        while (await TryNextAsync() is not null)
        {
        }

        return (int)_socket.CloseStatus!.Value;
    }

    /// <summary>Says farewell and waits for the server's.</summary>
    public Task CloseAsync() => _socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, TestContext.Current.CancellationToken);

    /// <summary>Leaves without a word, as a phone in a tunnel does.</summary>
    public void Abort() => _socket.Abort();

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private static async ValueTask<Stream> DialAsync(SocketsHttpConnectionContext to, int receiveBuffer, CancellationToken ct)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer > 0)
        {
            socket.ReceiveBufferSize = receiveBuffer;
        }

        await socket.ConnectAsync(to.DnsEndPoint, ct);
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>A frame of the server's, once it was held against the published description of the socket, as every frame of the test run is.</summary>
    internal static ServerFrame Held(byte[] message, bool isJson)
    {
        if (!isJson)
        {
            var frame = ServerFrame.Parser.ParseFrom(message);
            Assert.Empty(SocketSchema.Problems(frame));
            return frame;
        }

        var json = Encoding.UTF8.GetString(message);
        Assert.Empty(SocketSchema.Problems("ServerFrame", json));
        return JsonParser.Default.Parse<ServerFrame>(json);
    }

    /// <summary>A message of one ciphertext to each of the devices, which may belong to several accounts.</summary>
    public static Send Message(string content, params ChatDevice[] to) => Message(Encoding.UTF8.GetBytes(content), to);

    public static Send Message(byte[] content, params ChatDevice[] to)
    {
        var send = new Send { Id = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(16)), Timestamp = 1_700_000_000_123 };
        foreach (var account in to.GroupBy(device => device.Address.Account))
        {
            var recipient = new Recipient { Account = ByteString.CopyFrom(account.Key.ToByteArray(bigEndian: true)) };
            recipient.Devices.AddRange(account.Select(device => new DeviceContent
            {
                Device = (uint)device.Address.Device,
                RegistrationId = (uint)device.RegistrationId,
                Type = ContentType.Whisper,
                Content = ByteString.CopyFrom(content),
            }));
            send.Recipients.Add(recipient);
        }

        return send;
    }
}
