using SecureChat.Signal;

namespace SecureChat.Fuzz.Targets;

/// <summary>Feeds one input to a parser and checks what it made of it. Refuses it by the library's exception.</summary>
internal delegate void FuzzTarget(ReadOnlySpan<byte> input);

/// <summary>Reads bytes, or refuses them by the library's exception.</summary>
internal delegate T Parser<out T>(ReadOnlySpan<byte> bytes);

/// <summary>What no input may bring about: another exception, more than a second, more than 64 MiB.</summary>
internal static class Oracle
{
    /// <summary>The largest input: as much as a frame of the socket can bring.</summary>
    public const int MaxInput = 128 * 1024;

    private const long MaxAllocated = 64 * 1024 * 1024;

    // Of the processor, not of the clock, which also runs while others have the machine.
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(1);

    /// <summary>Runs a target on an input.</summary>
    /// <param name="limited">False to leave time and memory out, for what runs the first time.</param>
    /// <returns>False if the input was refused.</returns>
    /// <exception cref="OracleException">The parser broke a promise; so does any other exception that escapes.</exception>
    public static bool Judge(FuzzTarget target, ReadOnlySpan<byte> input, bool limited = true)
    {
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        var began = Environment.CpuUsage.TotalTime;
        var accepted = true;
        try
        {
            target(input);
        }
        catch (SignalException)
        {
            accepted = false;
        }

        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        var took = Environment.CpuUsage.TotalTime - began;
        Require(!limited || allocated <= MaxAllocated, $"allocated {allocated} bytes");
        Require(!limited || took <= MaxTime, $"took {took}");
        return accepted;
    }

    /// <summary>What was read is written and read again: the second reading accepts it and writes the same.</summary>
    public static T RoundTrip<T>(ReadOnlySpan<byte> input, Parser<T> parse, Func<T, byte[]> serialize)
    {
        var parsed = parse(input);
        Rereads(parsed, parse, serialize);
        return parsed;
    }

    /// <summary>What the library writes it accepts, and reads as the same.</summary>
    public static T Rereads<T>(T written, Parser<T> parse, Func<T, byte[]> serialize)
    {
        var bytes = serialize(written);
        T read;
        try
        {
            read = parse(bytes);
        }
        catch (SignalException e)
        {
            throw new OracleException($"What was written is refused: {e.Message}", e);
        }

        Require(bytes.AsSpan().SequenceEqual(serialize(read)), "What was written reads as something else.");
        return read;
    }

    public static void Require(bool condition, string claim)
    {
        if (!condition)
        {
            throw new OracleException(claim);
        }
    }
}

/// <summary>A promise of the library that an input has broken.</summary>
#pragma warning disable CA1032 // One that says nothing would be of no use.
internal sealed class OracleException(string message, Exception? inner = null) : Exception(message, inner);
#pragma warning restore CA1032
