using System.Security.Cryptography;
using SecureChat.Signal;
using SecureChat.Signal.Groups;

namespace SecureChat.Fuzz.Targets;

/// <summary>Messages to groups, the keys for them, and the stored keys.</summary>
internal static class SenderKeyTarget
{
    public static readonly Guid Distribution = new("11111111-2222-3333-4444-555555555555");

    public static (SenderKeyRecord Record, SenderKeyDistributionMessage Message) OfAlice { get; } =
        SenderKeyRecord.Empty.Distribute(Distribution, Cast.Chance(6));

    private static SenderKeyRecord Bobs { get; } = SenderKeyRecord.Empty.Add(OfAlice.Message);

    private static byte[] Genuine { get; } = OfAlice.Record.Encrypt(Distribution, [1, 2, 3], Cast.Chance(7)).Message;

    public static void Run(ReadOnlySpan<byte> input) => FuzzTargets.Choose(input, Message, Key, Record, WithChecksum);

    private static void Message(ReadOnlySpan<byte> input) => Bobs.Decrypt(input);

    private static void Key(ReadOnlySpan<byte> input)
    {
        var message = Oracle.RoundTrip(input, SenderKeyDistributionMessage.Parse, message => message.Serialize());
        var record = Bobs.Add(message);
        var read = Oracle.Rereads(record, SenderKeyRecord.Parse, record => record.Serialize());
        Oracle.Require(!read.CanSend, "One could send with a key that is somebody else's.");
    }

    private static void WithChecksum(ReadOnlySpan<byte> input) => Record([.. input, .. SHA256.HashData(input)]);

    /// <summary>A stored record, then used for everything that it can be used for.</summary>
    private static void Record(ReadOnlySpan<byte> input)
    {
        var record = Oracle.RoundTrip(input, SenderKeyRecord.Parse, record => record.Serialize());
        try
        {
            Oracle.Rereads(record.Decrypt(Genuine).Next, SenderKeyRecord.Parse, next => next.Serialize());
        }
        catch (SignalException)
        {
            // Not under a key of this record.
        }

        if (record.CanSend)
        {
            var (next, _) = record.Encrypt(Distribution, [4], Cast.Chance(8));
            Oracle.Rereads(next, SenderKeyRecord.Parse, record => record.Serialize());
            record.Distribute(Distribution, Cast.Chance(8));
        }
    }
}
