using System.Net.WebSockets;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Net.Http.Headers;
using SecureChat.Client.Connection;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Testing;

/// <summary>What happens to one request.</summary>
public enum Fault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>It does not reach the server.</summary>
    Lost,

    /// <summary>The server does what it asks, and the answer is lost.</summary>
    AnswerLost,

    /// <summary>It reaches the server twice; the second answer counts.</summary>
    Twice,

    /// <summary>The server does what it asks, and the line breaks in the middle of the answer's body.</summary>
    AnswerCut,
}

/// <summary>The network between clients and a <see cref="FakeServer"/>. Faultless until told otherwise.</summary>
public sealed class FaultyNetwork : INetwork
{
    private readonly TestServer _server;
    private readonly Lock _lock = new();
    private readonly HashSet<WebSocket> _open = [];

    private int _failures;

    internal FaultyNetwork(TestServer server) => _server = server;

    /// <summary>Among a request's options: whether it goes over the connections that are kept apart from those with credentials.</summary>
    public static HttpRequestOptionsKey<bool> IsAnonymous { get; } = new("anonymous");

    /// <inheritdoc/>
    public bool SendsHeaders => true;

    /// <summary>Nothing gets through; see also <see cref="CutSockets"/>.</summary>
    public bool IsDown { get; set; }

    /// <summary>How many requests and connections have failed so far because the network was down.</summary>
    public int Failures => _failures;

    /// <summary>Asked before each request.</summary>
    public Func<HttpRequestMessage, Fault> OnRequest { get; set; } = _ => Fault.None;

    /// <summary>Awaited before each request goes on its way: delays it, or holds it until others have overtaken it.</summary>
    public Func<HttpRequestMessage, CancellationToken, Task> Delay { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>Awaited before each answer reaches the client, when the server has done what was asked.</summary>
    public Func<HttpRequestMessage, CancellationToken, Task> DelayAnswer { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>What a malicious server answers; null: what the real one does.</summary>
    public Func<HttpRequestMessage, HttpResponseMessage?> Forge { get; set; } = _ => null;

    /// <summary>What a malicious server makes of the body of each answer that the real one gives; null: nothing.</summary>
    public Func<HttpRequestMessage, byte[], byte[]>? AlterAnswer { get; set; }

    /// <summary>
    /// What arrives in the place of a frame that the server sent over a socket: nothing when it is lost, two when it comes twice, another when it is
    /// forged; one that is kept back can come with a later one.
    /// </summary>
    public Func<ServerFrame, IEnumerable<ServerFrame>> OnDelivery { get; set; } = frame => [frame];

    /// <summary>Asked before each frame that a client sends over a socket; false: it is lost.</summary>
    public Func<ClientFrame, bool> OnSending { get; set; } = _ => true;

    /// <summary>Sockets stay open and nothing comes through any more, as after a device has slept. Those opened later are silent too while it is set.</summary>
    public bool AreSocketsSilent { get; set; }

    /// <summary>Cuts every socket that is open, without a farewell.</summary>
    public void CutSockets()
    {
        lock (_lock)
        {
            foreach (var socket in _open)
            {
                socket.Abort();
            }

            _open.Clear();
        }
    }

    /// <inheritdoc/>
    public HttpMessageHandler CreateHandler(bool anonymous) => new Faults(this, anonymous, _server.CreateHandler());

    /// <inheritdoc/>
    public async Task<WebSocket> ConnectAsync(Uri address, string subprotocol, string? accessToken, CancellationToken ct)
    {
        ThrowIfDown();
        var client = _server.CreateWebSocketClient();
        client.SubProtocols.Add(subprotocol);
        if (accessToken is not null)
        {
            client.ConfigureRequest = request => request.Headers[HeaderNames.Authorization] = "Bearer " + accessToken;
        }

        try
        {
            var socket = new FaultySocket(this, await client.ConnectAsync(address, ct));
            lock (_lock)
            {
                _open.Add(socket);
            }

            return socket;
        }
        catch (InvalidOperationException e)
        {
            throw new WebSocketException("The handshake was refused.", e);
        }
    }

    private void ThrowIfDown()
    {
        if (IsDown)
        {
            Interlocked.Increment(ref _failures);
            throw new HttpRequestException("The network is down.");
        }
    }

    private sealed class Faults(FaultyNetwork network, bool anonymous, HttpMessageHandler server) : DelegatingHandler(server)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            network.ThrowIfDown();
            request.Options.Set(IsAnonymous, anonymous);
            await network.Delay(request, cancellationToken);
            var fault = network.OnRequest(request);
            if (fault == Fault.Lost)
            {
                throw new HttpRequestException("The request was lost.");
            }

            if (network.Forge(request) is { } forged)
            {
                return forged;
            }

            if (fault == Fault.Twice)
            {
                using var copy = await CopyAsync(request, cancellationToken);
                (await base.SendAsync(copy, cancellationToken)).Dispose();
            }

            var answer = await base.SendAsync(request, cancellationToken);
            await network.DelayAnswer(request, cancellationToken);
            if (fault == Fault.AnswerCut)
            {
                return await CutAsync(answer, cancellationToken);
            }

            if (network.AlterAnswer is { } alter)
            {
                answer.Content = WithHeadersOf(answer, new ByteArrayContent(alter(request, await answer.Content.ReadAsByteArrayAsync(cancellationToken))));
            }

            if (fault != Fault.AnswerLost)
            {
                return answer;
            }

            answer.Dispose();
            throw new HttpRequestException("The answer was lost.");
        }

        private static async Task<HttpResponseMessage> CutAsync(HttpResponseMessage answer, CancellationToken ct)
        {
            var body = await answer.Content.ReadAsByteArrayAsync(ct);
            answer.Content = WithHeadersOf(answer, new StreamContent(new CutStream(body[..(body.Length / 2)])));
            return answer;
        }

        private static HttpContent WithHeadersOf(HttpResponseMessage answer, HttpContent other)
        {
            foreach (var header in answer.Content.Headers)
            {
                other.Headers.TryAddWithoutValidation(header.Key, header.Value);
            }

            return other;
        }

        private static async Task<HttpRequestMessage> CopyAsync(HttpRequestMessage request, CancellationToken ct)
        {
            var copy = new HttpRequestMessage(request.Method, request.RequestUri);
            foreach (var header in request.Headers)
            {
                copy.Headers.TryAddWithoutValidation(header.Key, header.Value);
            }

            if (request.Content is { } content)
            {
                copy.Content = new ByteArrayContent(await content.ReadAsByteArrayAsync(ct));
                copy.Content.Headers.ContentType = content.Headers.ContentType;
            }

            return copy;
        }
    }

    // Ends as a broken connection does.
    private sealed class CutStream(byte[] first) : MemoryStream(first)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            await base.ReadAsync(buffer, cancellationToken) is var read and > 0 ? read : throw new HttpIOException(HttpRequestError.ResponseEnded);
    }
}
