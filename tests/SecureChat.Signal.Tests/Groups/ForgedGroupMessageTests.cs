using SecureChat.Signal.Addresses;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Groups;

/// <summary>Messages by another member, who knows the sender's chain key as all of them do.</summary>
public sealed class ForgedGroupMessageTests
{
    private const uint ChainId = 5;

    private readonly SeededRandom _random = new(81);
    private readonly ProtocolAddress _sender;
    private readonly Guid _distribution;
    private readonly byte[] _chainKey;

    public ForgedGroupMessageTests()
    {
        _sender = new ProtocolAddress(ServiceId.OfAccount(new Guid(_random.Bytes(16))), 1);
        (_distribution, _chainKey) = (new Guid(_random.Bytes(16)), _random.Bytes(32));
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>A multiple of the base point and its number are a signature of one in eight messages or more, for an Ed25519 that takes such a key.</summary>
    [Theory]
    [MemberData(nameof(LowOrder.Points), MemberType = typeof(LowOrder))]
    public async Task Nobody_can_sign_under_a_signing_key_of_low_order(string hex)
    {
        var (low, store) = (LowOrder.Key(hex), new InMemorySenderKeyStore());
        var groups = new GroupCipher(store, _random);
        using var made = SenderKeyDistributionMessage.Create(_distribution, ChainId, 0, _chainKey, low);
        if (!PublicKey.TryParse(low.Serialize(), out _))
        {
            var malformed = Assert.Throws<SignalException>(() => SenderKeyDistributionMessage.Parse(made.Serialize()));
            Assert.Equal(SignalError.InvalidMessage, malformed.Error);
            return;
        }

        using var given = SenderKeyDistributionMessage.Parse(made.Serialize());
        await groups.ProcessAsync(_sender, given, Ct);
        var before = StoredState.Of(store);

        for (byte number = 1; number <= 64; number++)
        {
            var forged = Signed(number);
            var refusal = await Assert.ThrowsAsync<SignalException>(() => groups.DecryptAsync(_sender, forged, Ct).AsTask());
            Assert.Equal(SignalError.InvalidSignature, refusal.Error);
        }

        Assert.Equal(before, StoredState.Of(store));
    }

    private byte[] Signed(byte number)
    {
        var keys = SenderKeyRecord.Keys(RatchetKdf.Seed(_chainKey));
        var ciphertext = AesCbc.Encrypt(keys.AsSpan(AesCbc.IvSize), keys.AsSpan(0, AesCbc.IvSize), [1, 2, 3]);
        using var other = PrivateKey.Generate(_random);
        var message = SenderKeyMessage.Create(_distribution, ChainId, 0, ciphertext, other, _random);
        byte[] scalar = [number, .. new byte[31]];
        var point = new byte[EdwardsPoint.EncodedSize];
        EdwardsBase.Multiply(scalar).Encode(point);
        return [.. message[..^XEdDsa.SignatureSize], .. point, .. scalar];
    }
}
