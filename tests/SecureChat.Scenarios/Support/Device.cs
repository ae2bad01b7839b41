using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Tests;

namespace SecureChat.Scenarios.Support;

/// <summary>One device: an official Signal client that talks to the server over HTTP and the WebSocket.</summary>
/// <remarks>
/// It does what an application has to do around libsignal: keeps the device lists of its contacts, fetches bundles, obeys the
/// server's corrections, acknowledges what it has taken in, and forgets what it has seen already.
/// </remarks>
internal sealed class Device(World world, Person owner, PeerParty party, ServerProcess node, string accessToken)
    : IAsyncDisposable
{
    private readonly Dictionary<Guid, SortedSet<int>> _known = [];
    private readonly HashSet<Guid> _seen = [];
    private int _nextKeyId = 1;

    public Person Owner => owner;

    public PeerParty Party { get; } = party;

    public int Id => Party.Device;

    public string AccessToken => accessToken;

    public Api Api { get; } = new(node.Api) { AccessToken = accessToken };

    public ChatSocket Socket { get; private set; } = null!;

    /// <summary>The part of registration and of linking that describes a device.</summary>
    public static object Registration(PeerParty party, JsonElement keys) => new
    {
        registrationId = party.RegistrationId,
        signedPreKey = Signed(keys.GetProperty("signedPreKey")),
        lastResortKey = Signed(keys.GetProperty("lastResortKyber")),
    };

    public async Task ConnectAsync(CancellationToken ct, ServerProcess? elsewhere = null) =>
        Socket = await ChatSocket.ConnectAsync((elsewhere ?? node).Socket, accessToken, ct);

    public Task DisconnectAsync() => Socket.DropAsync();

    /// <summary>Publishes a stock of one-time keys.</summary>
    public async Task PublishKeysAsync(CancellationToken ct, int count = 10)
    {
        var keys = await Party.PreKeysAsync(count, count, _nextKeyId, ct);
        _nextKeyId += count + 2;
        await Api.PutAsync(
            "/v1/keys",
            new
            {
                signedPreKey = Signed(keys.GetProperty("signedPreKey")),
                lastResortKey = Signed(keys.GetProperty("lastResortKyber")),
                oneTimeKeys = keys.GetProperty("oneTimeKeys").EnumerateArray()
                    .Select(key => new { keyId = key.GetProperty("id").GetInt32(), key = key.Bytes("publicKey") }),
                kyberOneTimeKeys = keys.GetProperty("kyberOneTimeKeys").EnumerateArray().Select(Signed),
            },
            ct);
    }

    /// <summary>Encrypts a text for every device of somebody and for the sender's own others, and sends it.</summary>
    /// <remarks>Obeys the server's answers about devices, as every client has to, and sends again.</remarks>
    public Task SendAsync(Person to, string text, CancellationToken ct, bool urgent = false) =>
        SendAsync(to.Account, Encoding.UTF8.GetBytes(text), ct, urgent);

    /// <summary>The same with whatever an app puts into its messages.</summary>
    public async Task SendAsync(Guid to, byte[] plaintext, CancellationToken ct, bool urgent = false)
    {
        var id = NewId();
        while (true)
        {
            var send = new Send { Id = id, Timestamp = 1_700_000_000_000, Urgent = urgent };
            send.Recipients.Add(await EncryptForAsync(to, plaintext, ct));
            if (owner.Devices.Count > 1 && to != owner.Account)
            {
                send.Recipients.Add(await EncryptForAsync(owner.Account, plaintext, ct));
            }

            var answer = await Socket.AskAsync(new ClientFrame { Send = send }, ct);
            if (answer.BodyCase is ServerFrame.BodyOneofCase.Accepted)
            {
                return;
            }

            await ObeyAsync(answer.Problem, ct);
        }
    }

    /// <summary>Waits for one envelope that was not taken in before, decrypts and acknowledges it.</summary>
    public async Task<string> NextTextAsync(CancellationToken ct) => Encoding.UTF8.GetString(await NextAsync(ct));

    /// <inheritdoc cref="NextTextAsync"/>
    public async Task<byte[]> NextAsync(CancellationToken ct)
    {
        await foreach (var delivered in Socket.Delivered.ReadAllAsync(ct))
        {
            var plaintext = await DecryptBytesAsync(delivered.Envelope, ct);
            await AckAsync(delivered, ct);
            if (plaintext is not null)
            {
                return plaintext;
            }
        }

        throw new IOException($"The connection ended with {Socket.CloseCode}.");
    }

    /// <summary>Decrypts and acknowledges an envelope; null when it was seen before or is not a message.</summary>
    public async Task<string?> TakeInAsync(Deliver delivered, CancellationToken ct)
    {
        var text = await DecryptAsync(delivered.Envelope, ct);
        await AckAsync(delivered, ct);
        return text;
    }

    /// <summary>Decrypts an envelope without acknowledging it; null when it was seen before or is not a message.</summary>
    public async Task<string?> DecryptAsync(Envelope envelope, CancellationToken ct) =>
        await DecryptBytesAsync(envelope, ct) is { } plaintext ? Encoding.UTF8.GetString(plaintext) : null;

    private async Task AckAsync(Deliver delivered, CancellationToken ct)
    {
        if (delivered.Position > 0)
        {
            await Socket.AckAsync([delivered.Position], ct);
        }
    }

    private async Task<byte[]?> DecryptBytesAsync(Envelope envelope, CancellationToken ct)
    {
        if (envelope.Type is ContentType.Event || !_seen.Add(ReadGuid(envelope.Id)))
        {
            return null;
        }

        if (envelope.Type is ContentType.Sealed)
        {
            var opened = await world.Peer.CallAsync(
                "sealedDecrypt",
                new { party = Party.Id, ciphertext = envelope.Content.ToByteArray(), trustRoot = world.TrustRoot, now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() },
                ct);
            return opened.Bytes("plaintext");
        }

        var from = new { name = ReadGuid(envelope.SenderAccount).ToString(), device = (int)envelope.SenderDevice };
        return await Party.DecryptAsync(from, (int)envelope.Type, envelope.Content.ToByteArray(), ct);
    }

    public async ValueTask DisposeAsync()
    {
        if (Socket is not null)
        {
            await Socket.DisposeAsync();
        }

        Api.Dispose();
    }

    /// <summary>16 random bytes: a message id.</summary>
    public static ByteString NewId() => ByteString.CopyFrom(RandomNumberGenerator.GetBytes(16));

    public static ByteString Bytes(Guid id) => ByteString.CopyFrom(id.ToByteArray(bigEndian: true));

    public static Guid ReadGuid(ByteString id) => new(id.Span, bigEndian: true);

    private async Task<Recipient> EncryptForAsync(Guid account, byte[] plaintext, CancellationToken ct)
    {
        if (!_known.TryGetValue(account, out var devices))
        {
            devices = _known[account] = [];
            await FetchAsync(account, null, ct);
        }

        var recipient = new Recipient { Account = Bytes(account) };
        foreach (var device in devices)
        {
            var message = await Party.EncryptAsync(Address(account, device), plaintext, ct);
            recipient.Devices.Add(new DeviceContent
            {
                Device = (uint)device,
                RegistrationId = (uint)message.RegistrationId,
                Type = (ContentType)message.Type,
                Content = ByteString.CopyFrom(message.Ciphertext),
            });
        }

        return recipient;
    }

    private async Task ObeyAsync(Problem problem, CancellationToken ct)
    {
        if (problem.Mismatches.Count is 0)
        {
            throw new InvalidOperationException($"refused: {problem.Code}");
        }

        foreach (var mismatch in problem.Mismatches)
        {
            var account = ReadGuid(mismatch.Account);
            foreach (var gone in mismatch.Extra.Concat(mismatch.Stale).Select(device => (int)device))
            {
                _known[account].Remove(gone);
                await world.Peer.CallAsync("deleteSession", new { party = Party.Id, remote = Address(account, gone) }, ct);
            }

            foreach (var fresh in mismatch.Missing.Concat(mismatch.Stale))
            {
                await FetchAsync(account, (int)fresh, ct);
            }
        }
    }

    /// <summary>Fetches bundles and starts sessions; a changed identity key is accepted, as a user would after a look.</summary>
    private async Task FetchAsync(Guid account, int? device, CancellationToken ct)
    {
        var fetched = await Api.PostAsync("/v1/keys/fetch", new { account, device }, ct);
        var identityKey = fetched.Bytes("identityKey");
        foreach (var bundle in fetched.GetProperty("devices").EnumerateArray())
        {
            var id = bundle.GetProperty("device").GetInt32();
            if (account == owner.Account && id == Id)
            {
                continue;
            }

            var remote = Address(account, id);
            await world.Peer.CallAsync("trust", new { party = Party.Id, remote, identityKey }, ct);
            await Party.ProcessBundleAsync(remote, Bundle(identityKey, bundle), ct);
            _known[account].Add(id);
        }
    }

    private static object Bundle(byte[] identityKey, JsonElement bundle)
    {
        var signed = bundle.GetProperty("signedPreKey");
        var kyber = bundle.GetProperty("kyberKey");
        var oneTime = bundle.TryGetProperty("oneTimeKey", out var ec) && ec.ValueKind is JsonValueKind.Object;
        return new
        {
            registrationId = bundle.GetProperty("registrationId").GetInt32(),
            identityKey,
            preKeyId = oneTime ? ec.GetProperty("keyId").GetInt32() : (int?)null,
            preKey = oneTime ? ec.Bytes("key") : null,
            signedPreKeyId = signed.GetProperty("keyId").GetInt32(),
            signedPreKey = signed.Bytes("key"),
            signedPreKeySignature = signed.Bytes("signature"),
            kyberPreKeyId = kyber.GetProperty("keyId").GetInt32(),
            kyberPreKey = kyber.Bytes("key"),
            kyberPreKeySignature = kyber.Bytes("signature"),
        };
    }

    private static object Address(Guid account, int device) => new { name = account.ToString(), device };

    private static object Signed(JsonElement key) => new
    {
        keyId = key.GetProperty("id").GetInt32(),
        key = key.Bytes("publicKey"),
        signature = key.Bytes("signature"),
    };
}
