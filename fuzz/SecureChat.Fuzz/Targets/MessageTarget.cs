using SecureChat.Signal;
using SecureChat.Signal.Retries;
using SecureChat.Signal.Sessions;

namespace SecureChat.Fuzz.Targets;

/// <summary>Messages of sessions and requests to send again, also handed to a device that is in a session.</summary>
internal static class MessageTarget
{
    private const ulong AnyTime = 5;

    // Prepared once: a refusal changes nothing, and what is not refused is one of the genuine messages.
    private static readonly InMemoryStores InSession = Conversation.StoresOfBob();
    private static readonly InMemoryStores AloneStores = Cast.StoresOfBob();

    public static void Run(ReadOnlySpan<byte> input) => FuzzTargets.Choose(
        input, Ordinary, Opening, Report, ReportOnMessage, ReportOnOpening, Plaintext);

    private static void Ordinary(ReadOnlySpan<byte> input)
    {
        Oracle.RoundTrip(input, SignalMessage.Parse, message => message.Serialize());
        Decrypt(InSession, CiphertextType.Message, input);
    }

    private static void Opening(ReadOnlySpan<byte> input)
    {
        Oracle.RoundTrip(input, PreKeySignalMessage.Parse, message => message.Serialize());
        Decrypt(InSession, CiphertextType.PreKeyMessage, input);
        Decrypt(AloneStores, CiphertextType.PreKeyMessage, input);
    }

    private static void Report(ReadOnlySpan<byte> input) =>
        Oracle.RoundTrip(input, DecryptionErrorMessage.Parse, report => report.Serialize());

    private static void ReportOnMessage(ReadOnlySpan<byte> input) => ReportOn(input, CiphertextType.Message);

    private static void ReportOnOpening(ReadOnlySpan<byte> input) => ReportOn(input, CiphertextType.PreKeyMessage);

    private static void ReportOn(ReadOnlySpan<byte> input, CiphertextType type)
    {
        var report = DecryptionErrorMessage.ForOriginal(input, type, AnyTime, 1);
        var read = Oracle.Rereads(report, DecryptionErrorMessage.Parse, read => read.Serialize());
        Oracle.Require(read.RatchetKey!.Equals(report.RatchetKey), "The report names another key.");
    }

    private static void Plaintext(ReadOnlySpan<byte> input) =>
        Oracle.RoundTrip(input, PlaintextContent.Parse, PlaintextContent.Serialize);

    /// <summary>Hands a message to Bob; his stores are as before when he refuses it.</summary>
    private static void Decrypt(InMemoryStores stores, CiphertextType type, ReadOnlySpan<byte> input)
    {
        var copy = Conversation.Copy(stores);
        try
        {
            Cast.Cipher(Cast.Bob, copy, seed: 9).DecryptAsync(Cast.Alice.Address, type, input.ToArray(), default)
                .AsTask().GetAwaiter().GetResult();
        }
        catch (SignalException)
        {
            Oracle.Require(Conversation.Record(copy).AsSpan().SequenceEqual(Conversation.Record(stores)), "A refusal left a trace.");
            throw;
        }
    }
}
