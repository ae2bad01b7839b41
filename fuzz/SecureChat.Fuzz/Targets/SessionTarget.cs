using System.Security.Cryptography;
using SecureChat.Signal;
using SecureChat.Signal.Sessions;

namespace SecureChat.Fuzz.Targets;

/// <summary>Stored sessions, then used: as they are, and with a checksum that fits what a fuzzer has made of the rest.</summary>
internal static class SessionTarget
{
    public static void Run(ReadOnlySpan<byte> input) => FuzzTargets.Choose(input, Record, WithChecksum);

    private static void Record(ReadOnlySpan<byte> input)
    {
        using var record = Oracle.RoundTrip(input, SessionRecord.Parse, record => record.Serialize());
        Use(record);
    }

    private static void WithChecksum(ReadOnlySpan<byte> input) => Record([.. input, .. SHA256.HashData(input)]);

    private static void Use(SessionRecord record)
    {
        var ends = new Ends(Cast.Bob, Cast.Alice.Address);
        try
        {
            var (next, _) = SessionSteps.Decrypt(record, SignalMessage.Parse(Conversation.Message), ends, Cast.Chance(8));
            Oracle.Rereads(next, SessionRecord.Parse, record => record.Serialize()).Dispose();
        }
        catch (SignalException)
        {
            // Not a message of this session.
        }

        if (record.CanSend(Cast.Today))
        {
            var (next, _) = SessionSteps.Encrypt(record, [1], ends.SentAddresses, Cast.Chance(8));
            Oracle.Rereads(next, SessionRecord.Parse, record => record.Serialize()).Dispose();
        }

        Oracle.Rereads(record.ArchiveCurrent(), SessionRecord.Parse, record => record.Serialize()).Dispose();
    }
}
