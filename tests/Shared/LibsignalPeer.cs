using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using SecureChat.Tests;

[assembly: AssemblyFixture(typeof(LibsignalPeer))]

namespace SecureChat.Tests;

/// <summary>
/// The official Signal client as a peer: one Node process that answers requests one at a time. The operations are
/// listed at the top of <c>tests/libsignal-peer/driver.mjs</c>.
/// </summary>
/// <remarks>
/// An assembly fixture, started by its first call. Parties are independent of each other, so tests that run in
/// parallel share the process and each makes its own.
/// </remarks>
public sealed class LibsignalPeer : IAsyncDisposable
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(60);
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);
    private readonly SemaphoreSlim _turn = new(1, 1);
    private Process? _node;
    private long _seq;

    /// <summary>Runs one operation. Public members of <paramref name="arguments"/> become members of the request.</summary>
    /// <exception cref="LibsignalPeerException">The client refused, or the driver cannot be started.</exception>
    public async Task<JsonElement> CallAsync(string op, object arguments, CancellationToken ct)
    {
        var request = JsonSerializer.SerializeToNode(arguments, Json)!.AsObject();
        request["op"] = op;
        await _turn.WaitAsync(ct);
        try
        {
            return await ExchangeAsync(op, request, ct);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Makes a party: one device of one account, with an identity key and empty stores.</summary>
    /// <param name="identityPrivateKey">The account's, for a linked device; null makes one.</param>
    public async Task<PeerParty> PartyAsync(
        string name, int device, CancellationToken ct, byte[]? identityPrivateKey = null)
    {
        var made = await CallAsync("party", new { name, device, identityPrivateKey }, ct);
        return new PeerParty(this, made.GetProperty("party").GetInt32(), name, device, made.Bytes("identityKey"),
            made.GetProperty("registrationId").GetInt32());
    }

    /// <summary>Ends the process that this fixture started.</summary>
    public async ValueTask DisposeAsync()
    {
        _turn.Dispose();
        if (_node is null)
        {
            return;
        }

        _node.StandardInput.Close();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            await _node.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _node.Kill();
        }

        _node.Dispose();
    }

    private async Task<JsonElement> ExchangeAsync(string op, JsonObject request, CancellationToken ct)
    {
        var node = _node ??= Start();
        var seq = ++_seq;
        request["seq"] = seq;
        await node.StandardInput.WriteLineAsync(request.ToJsonString().AsMemory(), ct);
        await node.StandardInput.FlushAsync(ct);

        // Not cancellable by the test: an answer left unread would be taken for the next request's.
        var line = await node.StandardOutput.ReadLineAsync(CancellationToken.None).AsTask()
            .WaitAsync(AnswerTimeout, CancellationToken.None)
            ?? throw new LibsignalPeerException(op, "the driver ended; run ./test to install it", null, []);
        var answer = JsonSerializer.Deserialize<JsonElement>(line);
        if (answer.GetProperty("seq").GetInt64() != seq)
        {
            throw new LibsignalPeerException(op, "the driver answered another request", null, []);
        }

        return answer.GetProperty("ok").GetBoolean() ? answer : throw Refusal(op, answer);
    }

    private static LibsignalPeerException Refusal(string op, JsonElement answer) => new(
        op,
        answer.GetProperty("error").GetString()!,
        answer.TryGetProperty("code", out var code) && code.ValueKind == JsonValueKind.Number ? code.GetInt32() : null,
        [.. answer.GetProperty("log").EnumerateArray().Select(line => line.GetString()!)]);

    private static Process Start()
    {
        var folder = Path.Combine(RepositoryRoot(), "tests", "libsignal-peer");
        RequireInstalled(folder);
        var start = new ProcessStartInfo("node", ["driver.mjs"])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            StandardOutputEncoding = Encoding.UTF8,
            UseShellExecute = false,
        };
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new LibsignalPeerException("start", $"Node 20 or later is needed: {e.Message}", null, []);
        }
    }

    private static void RequireInstalled(string folder)
    {
        const string package = "node_modules/@signalapp/libsignal-client";
        var installed = Path.Combine(folder, "node_modules", ".package-lock.json");
        if (!File.Exists(installed) || VersionIn(installed) != VersionIn(Path.Combine(folder, "package-lock.json")))
        {
            throw new LibsignalPeerException("start",
                "the official client is not installed as its lock file says: run ./test, or `npm ci` in " +
                "tests/libsignal-peer", null, []);
        }

        static string? VersionIn(string lockFile) =>
            JsonNode.Parse(File.ReadAllText(lockFile))?["packages"]?[package]?["version"]?.GetValue<string>();
    }

    private static string RepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "SecureChat.slnx")))
            {
                return folder.FullName;
            }
        }

        throw new LibsignalPeerException("start", "the tests run outside the repository", null, []);
    }
}

/// <summary>One device of one account, played by the official client.</summary>
public sealed record PeerParty(
    LibsignalPeer Peer, int Id, string Name, int Device, byte[] IdentityKey, int RegistrationId)
{
    /// <summary>How the other parties address this one: the <c>remote</c> of a request.</summary>
    public object Address => new { name = Name, device = Device };

    /// <summary>The same party under the name that a server gave it after its keys were made.</summary>
    public async Task<PeerParty> RenamedAsync(string name, int device, CancellationToken ct)
    {
        await Peer.CallAsync("rename", new { party = Id, name, device }, ct);
        return this with { Name = name, Device = device };
    }

    /// <summary>Makes and keeps a set of prekeys. The answer lists what to publish.</summary>
    public Task<JsonElement> PreKeysAsync(int oneTime, int kyberOneTime, int firstId, CancellationToken ct) =>
        Peer.CallAsync("prekeys", new { party = Id, oneTime, kyberOneTime, firstId }, ct);

    /// <summary>Starts a session from a bundle: see <c>processBundle</c> for its members.</summary>
    public Task ProcessBundleAsync(object remote, object bundle, CancellationToken ct) =>
        Peer.CallAsync("processBundle", new { party = Id, remote, bundle }, ct);

    /// <summary>Encrypts for a device with which there is a session.</summary>
    public async Task<PeerMessage> EncryptAsync(object remote, byte[] plaintext, CancellationToken ct)
    {
        var answer = await Peer.CallAsync("encrypt", new { party = Id, remote, plaintext }, ct);
        return new PeerMessage(answer.GetProperty("type").GetInt32(), answer.Bytes("ciphertext"),
            answer.GetProperty("registrationId").GetInt32());
    }

    /// <summary>Decrypts a message of type 2 (message) or 3 (prekey message).</summary>
    public async Task<byte[]> DecryptAsync(object remote, int type, byte[] ciphertext, CancellationToken ct)
    {
        var answer = await Peer.CallAsync("decrypt", new { party = Id, remote, type, ciphertext }, ct);
        return answer.Bytes("plaintext");
    }
}

/// <summary>What <c>encrypt</c> gave.</summary>
/// <param name="Type">2 message, 3 prekey message.</param>
/// <param name="Ciphertext">The serialised message.</param>
/// <param name="RegistrationId">The recipient's registration id, as the sender's session knows it.</param>
public sealed record PeerMessage(int Type, byte[] Ciphertext, int RegistrationId);

/// <summary>The official client refused an operation.</summary>
public sealed class LibsignalPeerException(string op, string error, int? code, IReadOnlyList<string> log)
    : Exception($"{op}: {error}{string.Concat(log.Select(line => "\n  " + line))}")
{
    /// <summary>The number in libsignal's <c>ErrorCode</c>, when it gave one.</summary>
    public int? Code { get; } = code;

    /// <summary>libsignal's own warnings during the operation; they often name the real cause.</summary>
    public IReadOnlyList<string> Log { get; } = log;
}

/// <summary>Reading answers.</summary>
public static class PeerAnswers
{
    /// <summary>A base64 member as bytes.</summary>
    public static byte[] Bytes(this JsonElement answer, string member) => answer.GetProperty(member).GetBytesFromBase64();

    /// <summary>The bundle that a server would hand out of this published set: its first keys of each kind.</summary>
    /// <param name="published">The answer of <c>prekeys</c>.</param>
    /// <param name="oneTime">Whether to take the first EC one-time key and the first Kyber one-time key.</param>
    public static object Bundle(this JsonElement published, bool oneTime)
    {
        var signed = published.GetProperty("signedPreKey");
        var ec = oneTime ? published.GetProperty("oneTimeKeys")[0] : default;
        var kyber = oneTime ? published.GetProperty("kyberOneTimeKeys")[0] : published.GetProperty("lastResortKyber");
        return new
        {
            registrationId = published.GetProperty("registrationId").GetInt32(),
            identityKey = published.Bytes("identityKey"),
            preKeyId = oneTime ? ec.GetProperty("id").GetInt32() : (int?)null,
            preKey = oneTime ? ec.Bytes("publicKey") : null,
            signedPreKeyId = signed.GetProperty("id").GetInt32(),
            signedPreKey = signed.Bytes("publicKey"),
            signedPreKeySignature = signed.Bytes("signature"),
            kyberPreKeyId = kyber.GetProperty("id").GetInt32(),
            kyberPreKey = kyber.Bytes("publicKey"),
            kyberPreKeySignature = kyber.Bytes("signature"),
        };
    }
}
