using System.Diagnostics;

namespace SecureChat.Bench.Load;

/// <summary>Monotonic time in <see cref="Stopwatch"/> ticks.</summary>
internal static class Clock
{
    public static long Now => Stopwatch.GetTimestamp();

    public static long After(TimeSpan span) => Now + Ticks(span.TotalSeconds);

    public static long Ticks(double seconds) => (long)(seconds * Stopwatch.Frequency);

    public static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;
}
