using SecureChat.Signal;
using SecureChat.Signal.Spqr;

namespace SecureChat.Fuzz.Targets;

/// <summary>The post-quantum ratchet: its messages, which are read before the MAC is checked, and its stored state.</summary>
internal static class SpqrTarget
{
    public static void Run(ReadOnlySpan<byte> input) => FuzzTargets.Choose(input, Message, StateAndMessage);

    private static void Message(ReadOnlySpan<byte> input)
    {
        var message = SpqrMessage.Parse(input)
            ?? throw new SignalException(SignalError.InvalidMessage, "Refused, as its caller would.");
        var again = SpqrMessage.Parse(message.Serialize());
        Oracle.Require(again is not null && again.Serialize().AsSpan().SequenceEqual(message.Serialize()), "Reads as another.");
    }

    /// <summary>A state, then a message to it: two bytes of length and the state, and the rest.</summary>
    private static void StateAndMessage(ReadOnlySpan<byte> input)
    {
        var rest = input;
        var state = Oracle.RoundTrip(FuzzTargets.Part(ref rest), Read, state => state.Serialize());
        Oracle.RoundTrip(state.Send(Cast.Chance(8)).Next.Serialize(), Read, state => state.Serialize());
        var before = state.Serialize();
        try
        {
            Oracle.RoundTrip(state.Receive(rest).Next.Serialize(), Read, state => state.Serialize());
        }
        catch (SignalException)
        {
            Oracle.Require(before.AsSpan().SequenceEqual(state.Serialize()), "A refusal left a trace.");
            throw;
        }
    }

    private static SpqrState Read(ReadOnlySpan<byte> bytes) => SpqrState.TryParse(bytes, out var state)
        ? state!
        : throw new SignalException(SignalError.InvalidRecord, "Refused, as its caller would.");
}
