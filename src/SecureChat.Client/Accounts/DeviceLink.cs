using System.Net.WebSockets;
using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Provisioning;

namespace SecureChat.Client.Accounts;

/// <summary>
/// A device that becomes another one of an account: it shows <see cref="Code"/>, the primary scans it (<c>ChatClient.ReviewLinkAsync</c>),
/// both show the same number, and the person agrees on the primary. The code is good for 90 seconds.
/// </summary>
/// <remarks>Spec: docs/protocol/device-lists.md#linking.</remarks>
public sealed class DeviceLink : IAsyncDisposable
{
    private readonly ChatOptions _options;
    private readonly PrivateKey _key;
    private readonly ProvisioningSocket _first;
    private readonly ProvisioningSocket _second;
    private readonly LinkOffer _offer;
    private byte[]? _nonce;

    private DeviceLink(ChatOptions options, PrivateKey key, ProvisioningSocket first, ProvisioningSocket second)
    {
        (_options, _key, _first, _second) = (options, key, first, second);
        _offer = new LinkOffer(first.Address, second.Address, key.PublicKey, NewAccount.NewRegistrationId());
    }

    /// <summary>What to show: as a QR picture, or as text to be carried over.</summary>
    public string Code => _offer.ToString();

    /// <summary>Asks the server for a place where the primary can answer.</summary>
    /// <exception cref="InvalidOperationException">The store holds a device already.</exception>
    /// <exception cref="WebSocketException">The server cannot be reached.</exception>
    public static async Task<DeviceLink> BeginAsync(ChatOptions options, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (await new StoreTransaction(options.Store).ReadAsync(Tables.Self, Tables.Only, ct) is not null)
        {
            throw new InvalidOperationException("The store holds a device already. Open it, or use an empty store.");
        }

        var first = await ProvisioningSocket.OpenAsync(options, ct);
        try
        {
            return new DeviceLink(options, PrivateKey.Generate(RandomSource.System), first, await ProvisioningSocket.OpenAsync(options, ct));
        }
        catch
        {
            await first.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until the code was scanned.</summary>
    /// <returns>The number to show: the person compares it with the one on the primary, such as <c>482 913</c>.</returns>
    /// <exception cref="LinkFailedException">Nobody scanned it in time, or what came is not an answer.</exception>
    public async Task<string> NumberAsync(CancellationToken ct)
    {
        var hello = Open(await _first.MessageAsync(ct), LinkHello.Parser);
        _nonce = hello.Nonce.Length == LinkOffer.NonceSize ? hello.Nonce.ToByteArray() : throw NoAnswer();
        return _offer.NumberFor(_nonce);
    }

    /// <summary>Waits until the person has agreed on the primary, and makes this the account's device. Call <see cref="NumberAsync"/> before.</summary>
    /// <exception cref="LinkFailedException">Nobody agreed in time, or what came is not from the one who scanned the code.</exception>
    /// <exception cref="ServerException">The server refused.</exception>
    public async Task<ChatClient> CompleteAsync(CancellationToken ct)
    {
        if (_nonce is null)
        {
            throw new InvalidOperationException("Show the number first.");
        }

        var secrets = Open(await _second.MessageAsync(ct), LinkSecrets.Parser);
        if (!CryptographicOperations.FixedTimeEquals(_nonce, secrets.Nonce.Span) || secrets.Account.Length != 16
            || secrets.ProfileKey.Length != NewAccount.ProfileKeySize)
        {
            throw NoAnswer();
        }

        using (var identity = IdentityKeyPair.Parse(secrets.IdentityKeyPair.Span))
        {
            var list = SignedDeviceList.TryRead(secrets.DeviceList.Span, secrets.Account.ToGuid(), identity.PublicKey);
            if (list is null || list.Devices.All(device => device.RegistrationId != _offer.RegistrationId))
            {
                throw NoAnswer();
            }
        }

        using (var api = new ServerApi(_options.Server, _options.Network))
        {
            await NewAccount.LinkAsync(_options, api, _offer.RegistrationId, secrets, ct);
        }

        return await ChatClient.OpenAsync(_options, ct);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _key.Dispose();
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }

    private T Open<T>(byte[] message, MessageParser<T> parser)
        where T : IMessage<T>
    {
        try
        {
            return parser.ParseFrom(ProvisioningCipher.Decrypt(_key, message));
        }
        catch (Exception e) when (e is SignalException or InvalidProtocolBufferException)
        {
            throw NoAnswer(e);
        }
    }

    private static LinkFailedException NoAnswer(Exception? inner = null) =>
        new("What came is not an answer to this code. Begin again, and scan the code with your own device.", inner);
}

/// <summary>A place at which a device that is not linked yet can be reached once.</summary>
internal sealed class ProvisioningSocket : IAsyncDisposable
{
    private readonly ChatSocket _socket;

    private ProvisioningSocket(ChatSocket socket, byte[] address) => (_socket, Address) = (socket, address);

    public byte[] Address { get; }

    public static async Task<ProvisioningSocket> OpenAsync(ChatOptions options, CancellationToken ct)
    {
        var address = new UriBuilder(options.Server.Api)
        {
            Scheme = options.Server.Api.Scheme == Uri.UriSchemeHttps ? Uri.UriSchemeWss : Uri.UriSchemeWs,
            Path = "/ws/provisioning",
        };
        var socket = new ChatSocket(await options.Network.ConnectAsync(address.Uri, ChatSocket.Subprotocol, accessToken: null, ct));
        if (await socket.ReceiveAsync(ct) is { Provisioning.Address.Length: 16 } frame)
        {
            return new ProvisioningSocket(socket, frame.Provisioning.Address.ToByteArray());
        }

        await socket.DisposeAsync();
        throw new LinkFailedException("The server gave no address to wait at.");
    }

    public async Task<byte[]> MessageAsync(CancellationToken ct) =>
        await _socket.ReceiveAsync(ct) is { Provisioning.BodyCase: Provisioning.BodyOneofCase.Message } frame
            ? frame.Provisioning.Message.ToByteArray()
            : throw new LinkFailedException("Nobody answered in time. Begin again: a code is good for 90 seconds.");

    public async ValueTask DisposeAsync()
    {
        await _socket.CloseAsync(CancellationToken.None);
        await _socket.DisposeAsync();
    }
}
