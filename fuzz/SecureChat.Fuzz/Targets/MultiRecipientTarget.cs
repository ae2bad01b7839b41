using SecureChat.Signal;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Fuzz.Targets;

/// <summary>A message for many accounts, as a server reads and splits it, and as each recipient opens it.</summary>
internal static class MultiRecipientTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var message = MultiRecipientMessage.Parse(input);
        Oracle.Require(
            message.Recipients.Count + message.Excluded.Count <= MultiRecipientMessage.MaxRecipients, "Too many recipients.");
        var split = 0L;
        foreach (var recipient in message.Recipients)
        {
            Oracle.Require(recipient.Devices.Count > 0, "A recipient without a device.");

            // What a server writes is recipients times size; the server limits the product, and so does this.
            split += input.Length;
            if (split > 8 * Oracle.MaxInput)
            {
                break;
            }

            Open(message.EnvelopeFor(recipient));
        }
    }

    private static void Open(byte[] envelope)
    {
        try
        {
            var content = SealedEnvelope.OpenUnjudged(envelope, Cast.Bob.Identity.PrivateKey);
            Oracle.Require(content.Sender.Serialize().Length > 0, "A content without a sender.");
        }
        catch (SignalException)
        {
            // For somebody else, or for nobody.
        }
    }
}
