using System.Diagnostics;
using System.Globalization;
using SecureChat.Server.Abuse;

namespace SecureChat.Bench.Anomalies;

/// <summary>What the detectors add to a request, on one core and in memory: the hot store is asked later, once a second, for all.</summary>
internal static class Cost
{
    private const int Rounds = 200_000;

    public static string Measure(Server.Abuse.Anomalies anomalies)
    {
        var (actor, about) = (new byte[16], new Guid(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
        var idle = Of(() => anomalies.Judge(Detectors.FanOut, actor));
        var count = Of(() => anomalies.Observe(Detectors.SocketChurn, actor, 1e-9));
        var distinct = Of(() => anomalies.Observe(Detectors.KeySweep, actor, about));
        for (var i = 0; i < 1000; i++)
        {
            anomalies.Suspects.Set(new ActorName(Detectors.FanOut, (UInt128)i), Detectors.FanOut.Prove);
        }

        var busy = Of(() => anomalies.Judge(Detectors.FanOut, actor));
        return string.Create(CultureInfo.InvariantCulture, $"""
            ## Cost

            Nanoseconds on one core of this machine, in memory; the hot store is written once a second, off every request's path.

            | judge, nobody suspected | judge, 1,000 suspected | count | count a target |
            | --- | --- | --- | --- |
            | {idle:0} | {busy:0} | {count:0} | {distinct:0} |

            An ordinary message is asked one question: whether a session begins with it. Only one that does is judged and counted.

            """);
    }

    private static double Of(Action deed)
    {
        for (var i = 0; i < Rounds; i++)
        {
            deed();
        }

        var began = Stopwatch.GetTimestamp();
        for (var i = 0; i < Rounds; i++)
        {
            deed();
        }

        return Stopwatch.GetElapsedTime(began).TotalNanoseconds / Rounds;
    }
}
