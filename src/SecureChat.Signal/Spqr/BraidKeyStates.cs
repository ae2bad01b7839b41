using System.Security.Cryptography;

namespace SecureChat.Signal.Spqr;

// The states of the side whose turn it is to make a key pair, in the order in which they are passed.

/// <summary>Nothing made yet.</summary>
internal sealed class KeysUnsampled(ulong epoch, SpqrAuthenticator authenticator) : BraidState(epoch, authenticator)
{
    public const byte StateTag = 1;

    public override byte Tag => StateTag;

    public override BraidSent Send(RandomSource random)
    {
        var seed = new byte[IncrementalMlKem.SeedSize];
        random.Fill(seed);
        var (header, _) = IncrementalMlKem.PublicKey(seed);
        byte[] message = [.. header, .. Authenticator.HeaderMac(Epoch, header)];
        var (chunk, rest) = new ChunkEncoder(message, 0).Take();
        return new BraidSent(new KeysSampled(Epoch, Authenticator, seed, rest), SpqrMessageType.Header, chunk);
    }

    protected override BraidReceived ReceiveCurrent(SpqrMessage message) => new(this);
}

/// <summary>Sends the key's first part, until the first chunk of a ciphertext shows that it has arrived.</summary>
internal sealed class KeysSampled(
    ulong epoch, SpqrAuthenticator authenticator, byte[] seed, ChunkEncoder header) : BraidState(epoch, authenticator)
{
    public const byte StateTag = 2;

    public override byte Tag => StateTag;

    protected override byte[] Secret => seed;

    public override BraidSent Send(RandomSource random)
    {
        var (chunk, rest) = header.Take();
        return new BraidSent(new KeysSampled(Epoch, Authenticator, seed, rest), SpqrMessageType.Header, chunk);
    }

    protected override BraidReceived ReceiveCurrent(SpqrMessage message)
    {
        if (message is not { Type: SpqrMessageType.Ciphertext1, Chunk: { } chunk })
        {
            return new BraidReceived(this);
        }

        var vector = new ChunkEncoder(IncrementalMlKem.PublicKey(seed).Vector, 0);
        var ciphertext1 = ChunkDecoder.For(IncrementalMlKem.Ciphertext1Size).Add(chunk);
        return new BraidReceived(new HeaderSent(Epoch, Authenticator, seed, vector, ciphertext1));
    }

    protected override void WriteBody(SpqrWriter writer)
    {
        writer.Bytes(seed);
        writer.Encoder(header);
    }

    public static KeysSampled Read(ref SpqrReader reader, ulong epoch, SpqrAuthenticator authenticator) =>
        new(epoch, authenticator, reader.Bytes(IncrementalMlKem.SeedSize), reader.Encoder(HeaderMessageSize));
}

/// <summary>Sends the key's second part while the ciphertext's first part comes in.</summary>
internal sealed class HeaderSent(
    ulong epoch, SpqrAuthenticator authenticator, byte[] seed, ChunkEncoder vector, ChunkDecoder ciphertext1)
    : BraidState(epoch, authenticator)
{
    public const byte StateTag = 3;

    public override byte Tag => StateTag;

    protected override byte[] Secret => seed;

    public override BraidSent Send(RandomSource random)
    {
        var (chunk, rest) = vector.Take();
        return new BraidSent(
            new HeaderSent(Epoch, Authenticator, seed, rest, ciphertext1), SpqrMessageType.Vector, chunk);
    }

    protected override BraidReceived ReceiveCurrent(SpqrMessage message)
    {
        if (message is not { Type: SpqrMessageType.Ciphertext1, Chunk: { } chunk })
        {
            return new BraidReceived(this);
        }

        var received = ciphertext1.Add(chunk);
        return new BraidReceived(received.IsComplete
            ? new Ciphertext1Received(Epoch, Authenticator, seed, vector, received.Decode())
            : new HeaderSent(Epoch, Authenticator, seed, vector, received));
    }

    protected override void WriteBody(SpqrWriter writer)
    {
        writer.Bytes(seed);
        writer.Encoder(vector);
        writer.Decoder(ciphertext1);
    }

    public static HeaderSent Read(ref SpqrReader reader, ulong epoch, SpqrAuthenticator authenticator) =>
        new(epoch, authenticator, reader.Bytes(IncrementalMlKem.SeedSize),
            reader.Encoder(IncrementalMlKem.VectorSize), reader.Decoder(IncrementalMlKem.Ciphertext1Size));
}

/// <summary>Goes on sending the key's second part, and says that the ciphertext's first part is complete.</summary>
internal sealed class Ciphertext1Received(
    ulong epoch, SpqrAuthenticator authenticator, byte[] seed, ChunkEncoder vector, byte[] ciphertext1)
    : BraidState(epoch, authenticator)
{
    public const byte StateTag = 4;

    public override byte Tag => StateTag;

    protected override byte[] Secret => seed;

    public override BraidSent Send(RandomSource random)
    {
        var (chunk, rest) = vector.Take();
        return new BraidSent(
            new Ciphertext1Received(Epoch, Authenticator, seed, rest, ciphertext1),
            SpqrMessageType.VectorAndCiphertext1Ack,
            chunk);
    }

    protected override BraidReceived ReceiveCurrent(SpqrMessage message)
    {
        if (message is not { Type: SpqrMessageType.Ciphertext2, Chunk: { } chunk })
        {
            return new BraidReceived(this);
        }

        var ciphertext2 = ChunkDecoder.For(Ciphertext2MessageSize).Add(chunk);
        return new BraidReceived(
            new VectorSentCiphertext1Received(Epoch, Authenticator, seed, ciphertext1, ciphertext2));
    }

    protected override void WriteBody(SpqrWriter writer)
    {
        writer.Bytes(seed);
        writer.Encoder(vector);
        writer.Bytes(ciphertext1);
    }

    public static Ciphertext1Received Read(ref SpqrReader reader, ulong epoch, SpqrAuthenticator authenticator) =>
        new(epoch, authenticator, reader.Bytes(IncrementalMlKem.SeedSize),
            reader.Encoder(IncrementalMlKem.VectorSize), reader.Bytes(IncrementalMlKem.Ciphertext1Size));
}

/// <summary>The whole key has arrived over there; the ciphertext's second part comes in, and with it the secret.</summary>
internal sealed class VectorSentCiphertext1Received(
    ulong epoch, SpqrAuthenticator authenticator, byte[] seed, byte[] ciphertext1, ChunkDecoder ciphertext2)
    : BraidState(epoch, authenticator)
{
    public const byte StateTag = 5;

    public override byte Tag => StateTag;

    protected override byte[] Secret => seed;

    public override BraidSent Send(RandomSource random) => new(this, SpqrMessageType.Ciphertext1Ack);

    protected override BraidReceived ReceiveCurrent(SpqrMessage message)
    {
        if (message is not { Type: SpqrMessageType.Ciphertext2, Chunk: { } chunk })
        {
            return new BraidReceived(this);
        }

        var received = ciphertext2.Add(chunk);
        return received.IsComplete
            ? Finish(received.Decode())
            : new BraidReceived(new VectorSentCiphertext1Received(Epoch, Authenticator, seed, ciphertext1, received));
    }

    protected override void WriteBody(SpqrWriter writer)
    {
        writer.Bytes(seed);
        writer.Bytes(ciphertext1);
        writer.Decoder(ciphertext2);
    }

    public static VectorSentCiphertext1Received Read(
        ref SpqrReader reader, ulong epoch, SpqrAuthenticator authenticator) =>
        new(epoch, authenticator, reader.Bytes(IncrementalMlKem.SeedSize),
            reader.Bytes(IncrementalMlKem.Ciphertext1Size), reader.Decoder(Ciphertext2MessageSize));

    private BraidReceived Finish(ReadOnlySpan<byte> message)
    {
        var second = message[..IncrementalMlKem.Ciphertext2Size];
        var kemSecret = IncrementalMlKem.Decapsulate(seed, ciphertext1, second);
        var secret = SpqrAuthenticator.EpochSecret(Epoch, kemSecret);
        CryptographicOperations.ZeroMemory(kemSecret);

        // The MAC is made under keys that already hold the new secret, so it also confirms that both sides have the same.
        var updated = Authenticator.Update(Epoch, secret);
        var mac = updated.CiphertextMac(Epoch, ciphertext1, second);
        if (!CryptographicOperations.FixedTimeEquals(mac, message[IncrementalMlKem.Ciphertext2Size..]))
        {
            throw SpqrRefusal.NotAuthentic();
        }

        var next = new NoHeaderReceived(Epoch + 1, updated, ChunkDecoder.For(HeaderMessageSize));
        return new BraidReceived(next, new EpochSecret(Epoch, secret));
    }
}
