using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;

namespace SecureChat.Signal.SealedSender;

/// <summary>
/// Seals a message so that the server learns whom it is for and not whom it is from. docs/protocol/sealed-sender.md.
/// </summary>
public static class SealedEnvelope
{
    /// <summary>
    /// The sizes of envelopes, in bytes: each content is padded under the encryption until its envelope has the next of them. So a
    /// relay sees six lengths, whatever the ratchet puts beside a message. A content for which the largest is too small is not padded.
    /// docs/protocol/sealed-sender.md#sizes.
    /// </summary>
    /// <remarks>
    /// Each leaves room beside one of the sizes to which the client pads what people write: the first also for the next, the second for
    /// two of them, and from 6656 on all for the 1.7 KB with which a session begins.
    /// </remarks>
    public static ReadOnlySpan<int> Sizes => [1280, 2816, 6656, 18944, 68096, 92672];

    /// <summary>Seals for one recipient (version 1).</summary>
    /// <param name="content">What to seal.</param>
    /// <param name="recipient">The recipient's identity key.</param>
    /// <param name="identity">The sender's identity key, the one in the certificate.</param>
    /// <param name="random">For the one-time key.</param>
    public static byte[] Seal(SealedContent content, PublicKey recipient, PrivateKey identity, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(content);
        ArgumentNullException.ThrowIfNull(recipient);
        ArgumentNullException.ThrowIfNull(identity);
        ArgumentNullException.ThrowIfNull(random);
        return SealedSenderV1.Seal(content.SerializePadded(SealedSenderV1.RoomIn), recipient, identity, random);
    }

    /// <summary>Opens an envelope of either version and judges what is inside.</summary>
    /// <param name="envelope">The envelope as it came.</param>
    /// <param name="identity">The recipient's identity key.</param>
    /// <param name="local">The recipient's own address.</param>
    /// <param name="trustRoots">The roots that are built into the application.</param>
    /// <param name="now">The time to judge the certificate by, in Unix milliseconds.</param>
    /// <returns>A content whose sender is proved; its message is still encrypted.</returns>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.InvalidMessage"/>: not sealed for this key, or tampered with;
    /// <see cref="SignalError.InvalidKey"/>: its one-time key or its sender's key is of low order, as nobody makes one by chance;
    /// <see cref="SignalError.InvalidCertificate"/>: the sender's certificate is not to be trusted;
    /// <see cref="SignalError.SelfSend"/>: sent by this very device;
    /// <see cref="SignalError.UnknownVersion"/>: a version that does not exist yet.
    /// </exception>
    public static SealedContent Open(
        ReadOnlySpan<byte> envelope,
        PrivateKey identity,
        ProtocolAddress local,
        ReadOnlySpan<PublicKey> trustRoots,
        ulong now)
    {
        ArgumentNullException.ThrowIfNull(identity);
        var content = OpenUnjudged(envelope, identity);
        if (!content.Sender.IsValid(trustRoots, now))
        {
            throw new SignalException(
                SignalError.InvalidCertificate, "The sender's certificate is expired, or not signed under a trusted root.");
        }

        return content.Sender.Sender == local
            ? throw new SignalException(SignalError.SelfSend, "The message was sent by this device.")
            : content;
    }

    /// <summary>Opens an envelope; the certificate inside has still to be judged.</summary>
    internal static SealedContent OpenUnjudged(ReadOnlySpan<byte> envelope, PrivateKey identity)
    {
        // The upper half of the first byte is the version, the lower one the oldest that may read it: nobody writes another byte.
        return envelope.IsEmpty
            ? throw Malformed()
            : (envelope[0] >> 4) switch
            {
                1 when envelope[0] == SealedSenderV1.Version => SealedSenderV1.Open(envelope[1..], identity),
                2 when envelope[0] == SealedSenderV2.ReceivedVersion => SealedSenderV2.Open(envelope[1..], identity),
                <= 2 => throw Malformed(),
                _ => throw new SignalException(SignalError.UnknownVersion, "The envelope's version is not known."),
            };
    }

    internal static SignalException Malformed() =>
        new(SignalError.InvalidMessage, "The envelope is malformed, tampered with, or sealed for somebody else.");
}
