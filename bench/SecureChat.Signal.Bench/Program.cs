using SecureChat.Bench;
using SecureChat.Bench.Rows;
using SecureChat.Bench.Timing;

switch (args)
{
    case ["report", var file]:
        var report = await SignalReport.MakeAsync(CancellationToken.None);
        Terminal.Print(report);
        await File.WriteAllTextAsync(file, report);
        return 0;
    case ["timing", .. var rest] when rest.Length <= 1:
        var seconds = rest is [var given] ? int.Parse(given, System.Globalization.CultureInfo.InvariantCulture) : 10;
        foreach (var line in TimingRun.Run(TimeSpan.FromSeconds(seconds)))
        {
            Terminal.Print(line);
        }

        return 0;
    case ["row", var name]:
        foreach (var (row, cost) in OurRows.Measure(name))
        {
            Terminal.Print($"{row}: {cost.Microseconds:F1} us, {cost.Bytes} bytes");
        }

        return 0;
    default:
        Terminal.Progress("Usage: securechat-signal-bench report FILE | timing [SECONDS PER CASE] | row NAME");
        return 2;
}
