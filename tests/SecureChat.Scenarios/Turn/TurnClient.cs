using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;

namespace SecureChat.Scenarios.Turn;

/// <summary>One client of a TURN server: it says what a browser says, and what a browser would not.</summary>
internal sealed class TurnClient : IAsyncDisposable
{
    private readonly TurnPipe _pipe;
    private readonly ConcurrentDictionary<string, TaskCompletionSource<byte[]>> _asked = new();
    private readonly Channel<byte[]> _received = Channel.CreateUnbounded<byte[]>();
    private readonly CancellationTokenSource _end = new();
    private readonly Task _reading;
    private byte[]? _realm;
    private byte[]? _nonce;

    private TurnClient(TurnPipe pipe, TurnCredential credential)
    {
        (_pipe, Credential) = (pipe, credential);
        _reading = ReadAllAsync();
    }

    /// <summary>With what the next requests are signed.</summary>
    public TurnCredential Credential { get; set; }

    /// <summary>Where peers reach it, once it has an allocation.</summary>
    public IPEndPoint Relayed { get; private set; } = new(IPAddress.None, 0);

    /// <summary>What peers sent.</summary>
    public ChannelReader<byte[]> Received => _received.Reader;

    /// <summary>The last request, as it was on the wire.</summary>
    public byte[] LastRequest { get; private set; } = [];

    public static async Task<TurnClient> ConnectAsync(string url, TurnCredential credential, CancellationToken ct) =>
        new(await TurnPipe.ConnectAsync(url, ct), credential);

    /// <summary>Asks for an address at the relay; 0, or the code of the refusal.</summary>
    /// <param name="transport">17 for UDP, 6 for TCP (RFC 6062).</param>
    public async Task<int> AllocateAsync(CancellationToken ct, AddressFamily family = AddressFamily.InterNetwork, byte transport = 17)
    {
        var answer = await AskAsync(
            () => StunMessage.Request(TurnMethod.Allocate)
                .With(StunAttribute.RequestedTransport, [transport, 0, 0, 0])
                .With(StunAttribute.RequestedAddressFamily, [(byte)(family is AddressFamily.InterNetwork ? 1 : 2), 0, 0, 0]),
            ct);
        if (answer.ErrorCode is 0)
        {
            Relayed = answer.Address(StunAttribute.XorRelayedAddress);
        }

        return answer.ErrorCode;
    }

    /// <summary>Keeps the allocation for ten minutes more.</summary>
    public Task<int> RefreshAsync(CancellationToken ct) =>
        CodeAsync(() => StunMessage.Request(TurnMethod.Refresh).With(StunAttribute.Lifetime, [0, 0, 2, 88]), ct);

    public Task<int> PermitAsync(IPEndPoint peer, CancellationToken ct) =>
        CodeAsync(() => StunMessage.Request(TurnMethod.CreatePermission).WithPeer(peer), ct);

    public Task<int> BindAsync(ushort channel, IPEndPoint peer, CancellationToken ct) =>
        CodeAsync(() => StunMessage.Request(TurnMethod.ChannelBind).With(StunAttribute.ChannelNumber, Head(channel, 0)).WithPeer(peer), ct);

    public Task SendAsync(IPEndPoint peer, byte[] data, CancellationToken ct) =>
        _pipe.WriteAsync(StunMessage.Indication(TurnMethod.Send).WithPeer(peer).With(StunAttribute.Data, data).Write(null), ct);

    public Task SendAsync(ushort channel, byte[] data, CancellationToken ct) =>
        _pipe.WriteAsync([.. Head(channel, data.Length), .. data], ct);

    /// <summary>Sends a request as it is and returns the answer as it came.</summary>
    public async Task<byte[]> ExchangeAsync(byte[] request, CancellationToken ct)
    {
        var answer = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        _asked[Convert.ToHexString(request.AsSpan(8, 12))] = answer;
        await _pipe.WriteAsync(request, ct);
        return await answer.Task.WaitAsync(TimeSpan.FromSeconds(5), TimeProvider.System, ct);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _reading;
        _pipe.Dispose();
        _end.Dispose();
    }

    private async Task<int> CodeAsync(Func<StunMessage> request, CancellationToken ct) => (await AskAsync(request, ct)).ErrorCode;

    // A server says its realm, and each new nonce, in a refusal; then the same is asked again.
    private async Task<StunMessage> AskAsync(Func<StunMessage> request, CancellationToken ct)
    {
        var answer = await OnceAsync(request(), ct);
        if (answer.Find(StunAttribute.Nonce) is { } nonce && (_realm is null || answer.ErrorCode is 438))
        {
            (_realm, _nonce) = (answer.Find(StunAttribute.Realm), nonce);
            answer = await OnceAsync(request(), ct);
        }

        return answer;
    }

    private async Task<StunMessage> OnceAsync(StunMessage request, CancellationToken ct)
    {
        if (_realm is not null)
        {
            request.With(StunAttribute.Username, Credential.Username)
                .With(StunAttribute.Realm, _realm).With(StunAttribute.Nonce, _nonce!);
        }

        LastRequest = request.Write(_realm is null ? null : Key(_realm));
        return StunMessage.Read(await ExchangeAsync(LastRequest, ct));
    }

    [SuppressMessage("Security", "CA5351", Justification = "The key of STUN's long-term credentials is an MD5.")]
    private byte[] Key(byte[] realm) =>
        MD5.HashData(Encoding.UTF8.GetBytes($"{Credential.Username}:{Encoding.UTF8.GetString(realm)}:{Credential.Password}"));

    private static byte[] Head(ushort first, int second)
    {
        var head = new byte[4];
        BinaryPrimitives.WriteUInt16BigEndian(head, first);
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(2), (ushort)second);
        return head;
    }

    private async Task ReadAllAsync()
    {
        try
        {
            while (true)
            {
                Sort(await _pipe.ReadAsync(_end.Token));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
        {
            _received.Writer.Complete();
        }
    }

    private void Sort(byte[] message)
    {
        if (message[0] >= 0x40)
        {
            var length = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(2));
            _received.Writer.TryWrite(message[4..(4 + length)]);
        }
        else if (_asked.TryRemove(Convert.ToHexString(message.AsSpan(8, 12)), out var answer))
        {
            answer.TrySetResult(message);
        }
        else if (StunMessage.Read(message).Find(StunAttribute.Data) is { } data)
        {
            _received.Writer.TryWrite(data);
        }
    }
}

/// <summary>A name and what proves it, as the server's API gives them out.</summary>
internal sealed record TurnCredential(string Username, string Password);
