using System.Globalization;

namespace SecureChat.Cli;

/// <summary>Spans of time as people write them: <c>30s</c>, <c>5m</c>, <c>2h</c>, <c>1d</c>, <c>4w</c>.</summary>
internal static class Durations
{
    private static readonly (char Unit, TimeSpan Length)[] Units =
    [
        ('w', TimeSpan.FromDays(7)), ('d', TimeSpan.FromDays(1)), ('h', TimeSpan.FromHours(1)), ('m', TimeSpan.FromMinutes(1)), ('s', TimeSpan.FromSeconds(1)),
    ];

    public static TimeSpan Parse(string text)
    {
        foreach (var (unit, length) in Units)
        {
            if (text.EndsWith(unit) && int.TryParse(text.AsSpan(..^1), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                && count is > 0 and <= 1_000_000_000)
            {
                return count * length;
            }
        }

        throw new CliException(ExitCode.Usage, "invalid", $"'{text}' is no span of time.", "Write it as 30s, 5m, 2h, 1d or 4w.");
    }

    /// <summary>In the largest unit that fits, rounded up to a whole second.</summary>
    public static string Show(TimeSpan span)
    {
        var seconds = TimeSpan.FromSeconds(Math.Ceiling(span.TotalSeconds));
        var (unit, length) = Units.FirstOrDefault(entry => seconds >= entry.Length && seconds.Ticks % entry.Length.Ticks == 0, Units[^1]);
        return string.Create(CultureInfo.InvariantCulture, $"{seconds / length:0}{unit}");
    }
}
