using System.Text.Json;
using System.Text.Json.Serialization;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>
/// A recorded conversation with the official client, for any implementation to repeat: <c>vectors/sessions/</c>. Bytes are
/// base64.
/// </summary>
/// <param name="Description">What it shows.</param>
/// <param name="Self">The side to play, with the keys it published.</param>
/// <param name="Remote">The official client.</param>
/// <param name="Epoch">The epoch that the post-quantum ratchet is in at the end.</param>
/// <param name="Steps">In this order.</param>
/// <param name="Opening">What to start the session from; null when the official client starts it.</param>
internal sealed record Transcript(
    string Description, TranscriptSelf Self, TranscriptAddress Remote, ulong Epoch, IReadOnlyList<TranscriptStep> Steps,
    TranscriptOpening? Opening = null)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public static string Folder
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(folder.FullName, "SecureChat.slnx")))
            {
                folder = folder.Parent!;
            }

            return Path.Combine(folder.FullName, "vectors", "sessions");
        }
    }

    public static Transcript Read(string name) =>
        JsonSerializer.Deserialize<Transcript>(File.ReadAllText(Path.Combine(Folder, name + ".json")), Json)!;

    public void Write(string name)
    {
        Directory.CreateDirectory(Folder);
        File.WriteAllText(Path.Combine(Folder, name + ".json"), JsonSerializer.Serialize(this, Json).ReplaceLineEndings("\n") + "\n");
    }

    /// <summary>Plays our side: every message must decrypt, every sent one must come out the same, byte by byte.</summary>
    public async Task ReplayAsync(CancellationToken ct)
    {
        using var identity = new IdentityKeyPair(PrivateKey.Parse(Self.IdentityPrivateKey));
        var stores = new InMemoryStores();
        Self.AddTo(stores);
        var remote = new ProtocolAddress(Remote.Name, Remote.Device);
        var self = new LocalDevice(new ProtocolAddress(Self.Name, Self.Device), identity, Self.RegistrationId);
        if (Opening is { } opening)
        {
            var random = new RecordedRandom(opening.Random);
            var bundle = PeerConversation.BundleOf(opening.Published, oneTime: true);
            await new SessionCipher(self, stores, stores, stores, random).StartAsync(remote, bundle, DateTimeOffset.UnixEpoch, ct);
            Assert.True(random.IsUsedUp);
        }

        foreach (var step in Steps)
        {
            var random = new RecordedRandom(step.Random);
            var cipher = new SessionCipher(self, stores, stores, stores, random);
            if (step.Received)
            {
                Assert.Equal(step.Plaintext, await cipher.DecryptAsync(remote, step.Type, step.Message, ct));
            }
            else
            {
                var message = await cipher.EncryptAsync(remote, step.Plaintext, DateTimeOffset.UnixEpoch, ct);
                Assert.Equal(step.Message, message.Serialized.ToArray());
            }

            Assert.True(random.IsUsedUp);
        }

        using var record = (await ((ISessionStore)stores).LoadAsync(remote, ct))!;
        Assert.Equal(Epoch, record.Current!.PostQuantum.Braid.Epoch);
    }
}

/// <summary>An address in a transcript.</summary>
internal sealed record TranscriptAddress(string Name, int Device);

/// <summary>The side to play. Private keys in their serialised forms; of the Kyber key the expanded one, after 08.</summary>
internal sealed record TranscriptSelf(
    string Name,
    int Device,
    uint RegistrationId,
    byte[] IdentityPrivateKey,
    TranscriptKey SignedPreKey,
    TranscriptKey? OneTimePreKey,
    TranscriptKey KyberPreKey)
{
    /// <summary>Stores the prekeys. Their signatures are of no use to their owner.</summary>
    public void AddTo(InMemoryStores stores)
    {
        using var signed = new SignedPreKeyRecord(
            SignedPreKey.Id, DateTimeOffset.UnixEpoch, PrivateKey.Parse(SignedPreKey.PrivateKey), new byte[64]);
        using var kyber = new KyberPreKeyRecord(
            KyberPreKey.Id, DateTimeOffset.UnixEpoch, KyberKeyPair.Parse(KyberPreKey.PrivateKey), new byte[64]);
        stores.Add(signed);
        stores.Add(kyber, lastResort: OneTimePreKey is null);
        if (OneTimePreKey is not null)
        {
            using var oneTime = new PreKeyRecord(OneTimePreKey.Id, PrivateKey.Parse(OneTimePreKey.PrivateKey));
            stores.Add(oneTime);
        }
    }
}

/// <summary>The official client's published keys, of which the first of each kind are used, and the bytes that the start drew.</summary>
internal sealed record TranscriptOpening(JsonElement Published, IReadOnlyList<byte[]> Random);

/// <summary>A prekey in a transcript.</summary>
internal sealed record TranscriptKey(uint Id, byte[] PrivateKey);

/// <summary>One message.</summary>
/// <param name="Received">From the official client; else to it.</param>
/// <param name="Random">The bytes that the step drew, in order, one entry a draw.</param>
internal sealed record TranscriptStep(
    bool Received, CiphertextType Type, byte[] Message, byte[] Plaintext, IReadOnlyList<byte[]> Random);

/// <summary>Chance that notes what it gave.</summary>
internal sealed class RecordingRandom(RandomSource source) : RandomSource
{
    private readonly List<byte[]> _drawn = [];

    public override void Fill(Span<byte> bytes)
    {
        source.Fill(bytes);
        _drawn.Add(bytes.ToArray());
    }

    public IReadOnlyList<byte[]> Take()
    {
        byte[][] taken = [.. _drawn];
        _drawn.Clear();
        return taken;
    }
}

/// <summary>Chance that gives again what was noted.</summary>
internal sealed class RecordedRandom(IReadOnlyList<byte[]> drawn) : RandomSource
{
    private int _next;

    public bool IsUsedUp => _next == drawn.Count;

    public override void Fill(Span<byte> bytes) => drawn[_next++].CopyTo(bytes);
}
