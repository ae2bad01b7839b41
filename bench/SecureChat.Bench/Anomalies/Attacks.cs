using SecureChat.Server.Abuse;

namespace SecureChat.Bench.Anomalies;

/// <summary>Attackers among the honest: for each detector one for every hundred people, a third of them at each pace.</summary>
/// <remarks>They do the work that is asked for, and go on when they are refused. One in four sits behind an address that honest people share.</remarks>
internal static class Attacks
{
    // Seconds between two deeds at full pace: what the rate limits let through, or a little less.
    private static readonly (Detector Detector, double Every, Action<Traffic, Chance, double, Somebody> Do)[] All =
    [
        (Detectors.UnusedCodes, 60, (traffic, chance, at, who) => traffic.Add(at, Deed.AskForCode, who, RangeOf(who, chance))),
        (Detectors.SignUps, 90, (traffic, chance, at, who) => SignUp(traffic, at, who)),
        (Detectors.FailedAuth, 10, (traffic, chance, at, who) => traffic.Add(at, Deed.Fail, who)),
        (Detectors.KeySweep, 2, (traffic, chance, at, who) => traffic.Add(at, Deed.FetchNamed, who, chance.Below(int.MaxValue))),
        (Detectors.KeySweepOfStrangers, 2, (traffic, chance, at, who) => traffic.Add(at, Deed.FetchSealed, who, chance.Below(int.MaxValue))),
        (Detectors.NameScan, 864, (traffic, chance, at, who) => traffic.Add(at, Deed.Miss, who)),
        (Detectors.SocketChurn, 1, (traffic, chance, at, who) => traffic.Add(at, Deed.OpenSocket, who)),
        (Detectors.FanOut, 1, (traffic, chance, at, who) => traffic.Add(at, Deed.WriteFirst, who, chance.Below(int.MaxValue))),
        (Detectors.UnfetchedUploads, 6, (traffic, chance, at, who) => traffic.Upload(at, who, fetchedAfter: null)),
        (Detectors.RoomJoinStorm, 1, (traffic, chance, at, who) => traffic.Add(at, Deed.JoinRoom, who)),
    ];

    /// <summary>Ranges that whoever pumps is paid for; nobody honest has a number there.</summary>
    public const int PumpedRanges = 1_000;

    public static IReadOnlyList<Somebody> MixInto(Traffic traffic, ulong seed)
    {
        var chance = new Chance(seed);
        var attackers = new List<Somebody>();
        var each = Math.Max(3, traffic.People.Count / 100);
        foreach (var (detector, every, act) in All)
        {
            for (var i = 0; i < each; i++)
            {
                var id = 1_000_000 + attackers.Count;
                var network = chance.Happens(0.25) ? chance.Below(traffic.Carriers) : id;
                var who = new Somebody(id, network, detector.Name, i % 3);
                attackers.Add(who);
                AddOne(traffic, chance, who, every, act);
            }
        }

        return attackers;
    }

    /// <summary>The pace in words.</summary>
    public static string PaceOf(int pace) => pace switch { 0 => "full", 1 => "a tenth", _ => "a fiftieth" };

    private static void AddOne(
        Traffic traffic, Chance chance, Somebody who, double every, Action<Traffic, Chance, double, Somebody> act)
    {
        var (pause, lasts) = who.Pace switch { 0 => (every, 3), 1 => (every * 10, 10), _ => (every * 50, 10) };
        if (who.Attack == Detectors.NameScan.Name)
        {
            (pause, lasts) = (every * (1 + (2 * who.Pace)), 12);
        }

        var start = chance.Between(0, 12 * 3600);
        // Whoever is in no mood to wait uses up the day's quota first.
        for (var i = 0; who is { Pace: 0, Attack: "name-scan" } && i < 100; i++)
        {
            act(traffic, chance, start++, who);
        }

        for (var at = start; at < start + (lasts * 3600); at += pause * chance.Between(0.5, 1.5))
        {
            act(traffic, chance, at, who);
        }
    }

    private static int RangeOf(Somebody who, Chance chance) => PumpedRanges + ((who.Id % 10) * 3) + chance.Below(3);

    // With numbers or addresses of their own, to which the codes do come.
    private static void SignUp(Traffic traffic, double at, Somebody who)
    {
        traffic.Add(at, Deed.AskForCode, who, PumpedRanges + 500 + (who.Id % 50));
        traffic.Add(at + 5, Deed.EnterCode, who, PumpedRanges + 500 + (who.Id % 50));
        traffic.Add(at + 6, Deed.SignUp, who);
    }
}
