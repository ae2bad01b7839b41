using SecureChat.Signal.Wire;

namespace SecureChat.Signal.SealedSender;

/// <summary>What an app may do when a message cannot be decrypted; the numbers are those on the wire.</summary>
public enum ContentHint
{
    /// <summary>Show that a message was lost.</summary>
    Default = 0,

    /// <summary>Wait: the sender keeps the message and can send it again.</summary>
    Resendable = 1,

    /// <summary>Say nothing: nobody would miss it (a typing indicator, a receipt).</summary>
    Implicit = 2,
}

/// <summary>
/// What is inside a sealed envelope: a message of one of the ordinary kinds, and the certificate of its sender.
/// docs/protocol/sealed-sender.md#content.
/// </summary>
public sealed class SealedContent
{
    /// <summary>On the wire a prekey message has a number of its own.</summary>
    private const uint WirePreKeyMessage = 1;

    /// <summary>Far from the fields that the official client has: it passes over this one, as everybody does who does not know it.</summary>
    private const int PaddingField = 1000;

    /// <summary>Bytes of a padding without a zero in it: two of its tag, three of its length.</summary>
    private const int SmallestPadding = 5;

    /// <summary>A content to be sealed.</summary>
    /// <param name="type">The kind of message.</param>
    /// <param name="sender">The sender's certificate.</param>
    /// <param name="message">The message.</param>
    /// <param name="hint">What to do when it cannot be decrypted.</param>
    /// <param name="groupId">The group that it belongs to, if any.</param>
    public SealedContent(
        CiphertextType type,
        SenderCertificate sender,
        ReadOnlyMemory<byte> message,
        ContentHint hint = ContentHint.Default,
        ReadOnlyMemory<byte> groupId = default)
    {
        ArgumentNullException.ThrowIfNull(sender);
        (Type, Sender, Message, Hint, GroupId) = (type, sender, message, hint, groupId);
    }

    /// <summary>The kind of message.</summary>
    public CiphertextType Type { get; }

    /// <summary>The sender's certificate.</summary>
    public SenderCertificate Sender { get; }

    /// <summary>The message.</summary>
    public ReadOnlyMemory<byte> Message { get; }

    /// <summary>What to do when it cannot be decrypted.</summary>
    public ContentHint Hint { get; }

    /// <summary>The group that it belongs to; empty if none.</summary>
    public ReadOnlyMemory<byte> GroupId { get; }

    internal byte[] Serialize() => Write().ToArray();

    /// <summary>The content with zeros behind it, so that its envelope has one of <see cref="SealedEnvelope.Sizes"/>.</summary>
    /// <param name="roomIn">How many bytes of content make an envelope of a size.</param>
    internal byte[] SerializePadded(Func<int, int> roomIn)
    {
        var writer = Write();
        foreach (var size in SealedEnvelope.Sizes)
        {
            if (roomIn(size) - writer.Written.Length is var padding && padding >= SmallestPadding)
            {
                return writer.Zeros(PaddingField, padding).ToArray();
            }
        }

        return writer.ToArray();
    }

    private ProtoWriter Write()
    {
        var writer = new ProtoWriter()
            .UInt(1, Type == CiphertextType.PreKeyMessage ? WirePreKeyMessage : (ulong)Type)
            .Bytes(2, Sender.Serialize())
            .Bytes(3, Message.Span);
        if (Hint != ContentHint.Default)
        {
            writer.UInt(4, (ulong)Hint);
        }

        if (!GroupId.IsEmpty)
        {
            writer.Bytes(5, GroupId.Span);
        }

        return writer;
    }

    internal static SealedContent Parse(ReadOnlySpan<byte> serialized)
    {
        var reader = new ProtoReader(serialized);
        CiphertextType? type = null;
        SenderCertificate? sender = null;
        byte[]? message = null;
        var hint = ContentHint.Default;
        byte[] groupId = [];
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = TypeOf(reader.UInt32());
                    break;
                case 2:
                    sender = SenderCertificate.Parse(reader.Bytes());
                    break;
                case 3:
                    message = reader.Bytes().ToArray();
                    break;
                case 4:
                    // A hint of a later version says nothing to us.
                    hint = reader.UInt32() is var number and <= (uint)ContentHint.Implicit
                        ? (ContentHint)number
                        : ContentHint.Default;
                    break;
                case 5:
                    groupId = reader.Bytes().ToArray();
                    break;
            }
        }

        return reader.IsValid && type is { } known && sender is not null && message is not null
            ? new SealedContent(known, sender, message, hint, groupId)
            : throw SealedEnvelope.Malformed();
    }

    private static CiphertextType? TypeOf(uint number) => number switch
    {
        WirePreKeyMessage => CiphertextType.PreKeyMessage,
        (uint)CiphertextType.Message => CiphertextType.Message,
        (uint)CiphertextType.SenderKeyMessage => CiphertextType.SenderKeyMessage,
        (uint)CiphertextType.PlaintextContent => CiphertextType.PlaintextContent,
        _ => null,
    };
}
