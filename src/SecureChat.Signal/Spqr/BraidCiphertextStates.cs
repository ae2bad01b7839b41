using System.Security.Cryptography;

namespace SecureChat.Signal.Spqr;

// The states of the side that answers a public key with a ciphertext, in the order in which they are passed.

/// <summary>Waits for the key's first part.</summary>
internal sealed class NoHeaderReceived(ulong epoch, SpqrAuthenticator authenticator, ChunkDecoder header)
    : BraidState(epoch, authenticator)
{
    public const byte StateTag = 6;

    public override byte Tag => StateTag;

    /// <summary>Where the responder of a session begins.</summary>
    public static NoHeaderReceived Initial(SpqrAuthenticator authenticator) =>
        new(1, authenticator, ChunkDecoder.For(HeaderMessageSize));

    public override BraidSent Send(RandomSource random) => new(this, SpqrMessageType.None);

    protected override BraidReceived ReceiveCurrent(SpqrMessage message)
    {
        if (message is not { Type: SpqrMessageType.Header, Chunk: { } chunk })
        {
            return new BraidReceived(this);
        }

        var received = header.Add(chunk);
        if (!received.IsComplete)
        {
            return new BraidReceived(new NoHeaderReceived(Epoch, Authenticator, received));
        }

        var decoded = received.Decode();
        var announced = decoded[..IncrementalMlKem.HeaderSize];
        var mac = Authenticator.HeaderMac(Epoch, announced);
        return CryptographicOperations.FixedTimeEquals(mac, decoded.AsSpan(IncrementalMlKem.HeaderSize))
            ? new BraidReceived(new HeaderReceived(Epoch, Authenticator, announced))
            : throw SpqrRefusal.NotAuthentic();
    }

    protected override void WriteBody(SpqrWriter writer) => writer.Decoder(header);

    public static NoHeaderReceived Read(ref SpqrReader reader, ulong epoch, SpqrAuthenticator authenticator) =>
        new(epoch, authenticator, reader.Decoder(HeaderMessageSize));
}

/// <summary>Has the key's first part; the next message sent begins the ciphertext and settles the epoch's secret.</summary>
internal sealed class HeaderReceived(ulong epoch, SpqrAuthenticator authenticator, byte[] header)
    : BraidState(epoch, authenticator)
{
    public const byte StateTag = 7;

    public override byte Tag => StateTag;

    public override BraidSent Send(RandomSource random)
    {
        var message = new byte[IncrementalMlKem.MessageSize];
        random.Fill(message);
        Span<byte> kemSecret = stackalloc byte[IncrementalMlKem.SecretSize];
        var ciphertext1 = IncrementalMlKem.Encapsulate1(header, message, kemSecret);
        var secret = SpqrAuthenticator.EpochSecret(Epoch, kemSecret);
        CryptographicOperations.ZeroMemory(kemSecret);

        var (chunk, rest) = new ChunkEncoder(ciphertext1, 0).Take();
        var next = new Ciphertext1Sampled(
            Epoch, Authenticator.Update(Epoch, secret), new Encapsulation(header, message), rest,
            ChunkDecoder.For(IncrementalMlKem.VectorSize));
        return new BraidSent(next, SpqrMessageType.Ciphertext1, chunk, new EpochSecret(Epoch, secret));
    }

    protected override BraidReceived ReceiveCurrent(SpqrMessage message) => new(this);

    protected override void WriteBody(SpqrWriter writer) => writer.Bytes(header);

    public static HeaderReceived Read(ref SpqrReader reader, ulong epoch, SpqrAuthenticator authenticator) =>
        new(epoch, authenticator, reader.Bytes(IncrementalMlKem.HeaderSize));
}

/// <summary>What is kept between the two halves of an encapsulation.</summary>
internal sealed class Encapsulation(byte[] header, byte[] message)
{
    /// <summary>What the epoch's secret follows from.</summary>
    public byte[] Secret => message;

    /// <summary>Whether a vector is the one that the header announced.</summary>
    /// <exception cref="SignalException">It is not.</exception>
    public byte[] Checked(byte[] vector) =>
        IncrementalMlKem.Matches(header, vector) ? vector : throw SpqrRefusal.NotAuthentic();

    /// <summary>The second half: the state that sends it.</summary>
    public Ciphertext2Sampled Complete(
        ulong epoch, SpqrAuthenticator authenticator, ReadOnlySpan<byte> ciphertext1, byte[] vector)
    {
        var ciphertext2 = IncrementalMlKem.Encapsulate2(header, vector, message);
        byte[] sent = [.. ciphertext2, .. authenticator.CiphertextMac(epoch, ciphertext1, ciphertext2)];
        return new Ciphertext2Sampled(epoch, authenticator, new ChunkEncoder(sent, 0));
    }

    public void Write(SpqrWriter writer)
    {
        writer.Bytes(header);
        writer.Bytes(message);
    }

    public static Encapsulation Read(ref SpqrReader reader) =>
        new(reader.Bytes(IncrementalMlKem.HeaderSize), reader.Bytes(IncrementalMlKem.MessageSize));
}

/// <summary>Sends the ciphertext's first part while the key's second part comes in.</summary>
internal sealed class Ciphertext1Sampled(
    ulong epoch,
    SpqrAuthenticator authenticator,
    Encapsulation encapsulation,
    ChunkEncoder ciphertext1,
    ChunkDecoder vector) : BraidState(epoch, authenticator)
{
    public const byte StateTag = 8;

    public override byte Tag => StateTag;

    public override bool HasSecret => true;

    protected override byte[] Secret => encapsulation.Secret;

    public override BraidSent Send(RandomSource random)
    {
        var (chunk, rest) = ciphertext1.Take();
        var next = new Ciphertext1Sampled(Epoch, Authenticator, encapsulation, rest, vector);
        return new BraidSent(next, SpqrMessageType.Ciphertext1, chunk);
    }

    protected override BraidReceived ReceiveCurrent(SpqrMessage message)
    {
        if (message is not
            { Type: SpqrMessageType.Vector or SpqrMessageType.VectorAndCiphertext1Ack, Chunk: { } chunk })
        {
            return new BraidReceived(this);
        }

        var received = vector.Add(chunk);
        var acknowledged = message.Type == SpqrMessageType.VectorAndCiphertext1Ack;
        return new BraidReceived((received.IsComplete, acknowledged) switch
        {
            (true, true) => encapsulation.Complete(
                Epoch, Authenticator, ciphertext1.Message, encapsulation.Checked(received.Decode())),
            (true, false) => new VectorReceivedCiphertext1Sampled(
                Epoch, Authenticator, encapsulation, ciphertext1, encapsulation.Checked(received.Decode())),
            (false, true) => new Ciphertext1Acknowledged(
                Epoch, Authenticator, encapsulation, ciphertext1.Message.ToArray(), received),
            (false, false) => new Ciphertext1Sampled(Epoch, Authenticator, encapsulation, ciphertext1, received),
        });
    }

    protected override void WriteBody(SpqrWriter writer)
    {
        encapsulation.Write(writer);
        writer.Encoder(ciphertext1);
        writer.Decoder(vector);
    }

    public static Ciphertext1Sampled Read(ref SpqrReader reader, ulong epoch, SpqrAuthenticator authenticator) =>
        new(epoch, authenticator, Encapsulation.Read(ref reader),
            reader.Encoder(IncrementalMlKem.Ciphertext1Size), reader.Decoder(IncrementalMlKem.VectorSize));
}

/// <summary>Has the whole key; goes on sending the ciphertext's first part until it is acknowledged.</summary>
internal sealed class VectorReceivedCiphertext1Sampled(
    ulong epoch,
    SpqrAuthenticator authenticator,
    Encapsulation encapsulation,
    ChunkEncoder ciphertext1,
    byte[] vector) : BraidState(epoch, authenticator)
{
    public const byte StateTag = 9;

    public override byte Tag => StateTag;

    public override bool HasSecret => true;

    protected override byte[] Secret => encapsulation.Secret;

    public override BraidSent Send(RandomSource random)
    {
        var (chunk, rest) = ciphertext1.Take();
        var next = new VectorReceivedCiphertext1Sampled(Epoch, Authenticator, encapsulation, rest, vector);
        return new BraidSent(next, SpqrMessageType.Ciphertext1, chunk);
    }

    protected override BraidReceived ReceiveCurrent(SpqrMessage message) => new(
        message.Type is SpqrMessageType.Ciphertext1Ack or SpqrMessageType.VectorAndCiphertext1Ack
            ? encapsulation.Complete(Epoch, Authenticator, ciphertext1.Message, vector)
            : this);

    protected override void WriteBody(SpqrWriter writer)
    {
        encapsulation.Write(writer);
        writer.Encoder(ciphertext1);
        writer.Bytes(vector);
    }

    public static VectorReceivedCiphertext1Sampled Read(
        ref SpqrReader reader, ulong epoch, SpqrAuthenticator authenticator) =>
        new(epoch, authenticator, Encapsulation.Read(ref reader),
            reader.Encoder(IncrementalMlKem.Ciphertext1Size), reader.Bytes(IncrementalMlKem.VectorSize));
}

/// <summary>The ciphertext's first part has arrived over there; the rest of the key is still coming in.</summary>
internal sealed class Ciphertext1Acknowledged(
    ulong epoch,
    SpqrAuthenticator authenticator,
    Encapsulation encapsulation,
    byte[] ciphertext1,
    ChunkDecoder vector) : BraidState(epoch, authenticator)
{
    public const byte StateTag = 10;

    public override byte Tag => StateTag;

    public override bool HasSecret => true;

    protected override byte[] Secret => encapsulation.Secret;

    public override BraidSent Send(RandomSource random) => new(this, SpqrMessageType.None);

    protected override BraidReceived ReceiveCurrent(SpqrMessage message)
    {
        if (message is not
            { Type: SpqrMessageType.Vector or SpqrMessageType.VectorAndCiphertext1Ack, Chunk: { } chunk })
        {
            return new BraidReceived(this);
        }

        var received = vector.Add(chunk);
        return new BraidReceived(received.IsComplete
            ? encapsulation.Complete(Epoch, Authenticator, ciphertext1, encapsulation.Checked(received.Decode()))
            : new Ciphertext1Acknowledged(Epoch, Authenticator, encapsulation, ciphertext1, received));
    }

    protected override void WriteBody(SpqrWriter writer)
    {
        encapsulation.Write(writer);
        writer.Bytes(ciphertext1);
        writer.Decoder(vector);
    }

    public static Ciphertext1Acknowledged Read(ref SpqrReader reader, ulong epoch, SpqrAuthenticator authenticator) =>
        new(epoch, authenticator, Encapsulation.Read(ref reader),
            reader.Bytes(IncrementalMlKem.Ciphertext1Size), reader.Decoder(IncrementalMlKem.VectorSize));
}

/// <summary>Sends the ciphertext's second part, until a message of the next epoch shows that it has arrived.</summary>
internal sealed class Ciphertext2Sampled(ulong epoch, SpqrAuthenticator authenticator, ChunkEncoder ciphertext2)
    : BraidState(epoch, authenticator)
{
    public const byte StateTag = 11;

    public override byte Tag => StateTag;

    public override bool HasSecret => true;

    public override BraidSent Send(RandomSource random)
    {
        var (chunk, rest) = ciphertext2.Take();
        return new BraidSent(
            new Ciphertext2Sampled(Epoch, Authenticator, rest), SpqrMessageType.Ciphertext2, chunk);
    }

    protected override BraidReceived ReceiveCurrent(SpqrMessage message) => new(this);

    protected override BraidReceived ReceiveLater(SpqrMessage message) =>
        message.Epoch == Epoch + 1
            ? new BraidReceived(new KeysUnsampled(Epoch + 1, Authenticator))
            : base.ReceiveLater(message);

    protected override void WriteBody(SpqrWriter writer) => writer.Encoder(ciphertext2);

    public static Ciphertext2Sampled Read(ref SpqrReader reader, ulong epoch, SpqrAuthenticator authenticator) =>
        new(epoch, authenticator, reader.Encoder(Ciphertext2MessageSize));
}
