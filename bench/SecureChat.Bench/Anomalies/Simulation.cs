using System.Buffers.Binary;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SecureChat.Server.Abuse;
using SecureChat.Server.Media;
using SecureChat.Server.Storage;

namespace SecureChat.Bench.Anomalies;

/// <summary>Runs a day of traffic past the server's own detectors, on a clock of its own, and remembers what became of everybody.</summary>
internal sealed class Simulation : IDisposable
{
    private readonly VirtualClock _clock = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly Server.Abuse.Anomalies _anomalies;
    private readonly UnfetchedShare _unfetched;
    private readonly HashSet<int> _files = [];
    private readonly Dictionary<string, Outcome> _outcomes = Detectors.All.ToDictionary(one => one.Name, _ => new Outcome());
    private readonly HashSet<(string Attack, int Network)> _shared = [];

    private Simulation()
    {
        var key = new byte[32];
        Hot = new MemoryHotStore(_clock);
        _unfetched = new UnfetchedShare(Hot);
        _anomalies = new Server.Abuse.Anomalies(
            Hot, new ActorNames(key, _clock), new AnomalyMetrics(_services.GetRequiredService<IMeterFactory>()),
            Options.Create(new LimitsOptions()), _clock, NullLogger<Server.Abuse.Anomalies>.Instance);
    }

    private MemoryHotStore Hot { get; }

    /// <summary>What each detector did, by its name.</summary>
    public static async Task<IReadOnlyDictionary<string, Outcome>> RunAsync(ulong seed, int people, CancellationToken ct)
    {
        using var simulation = new Simulation();
        var traffic = new Traffic(seed, people);
        var attackers = Attacks.MixInto(traffic, seed + 1);
        foreach (var one in attackers)
        {
            simulation._shared.Add((one.Attack!, one.Network));
            simulation._outcomes[one.Attack!].Attackers[one] = new Hunt();
        }

        await simulation.PlayAsync(traffic.InOrder(), ct);
        foreach (var outcome in simulation._outcomes.Values)
        {
            outcome.People = people;
        }

        return simulation._outcomes;
    }

    /// <summary>What the detectors cost, as a part of the report.</summary>
    public static string MeasureCost()
    {
        using var simulation = new Simulation();
        return Cost.Measure(simulation._anomalies);
    }

    public void Dispose()
    {
        _anomalies.Dispose();
        _services.Dispose();
    }

    private async Task PlayAsync(List<Event> events, CancellationToken ct)
    {
        var now = 0.0;
        foreach (var one in events)
        {
            if (Math.Floor(one.At) > now)
            {
                await _anomalies.FlushAsync(ct);
                await _unfetched.ShareAsync(ct);
                if (Math.Floor(one.At / 3600) > Math.Floor(now / 3600))
                {
                    _anomalies.Suspects.Prune();
                    await Hot.ExpireAsync(ct);
                }

                _clock.Advance(TimeSpan.FromSeconds(Math.Floor(one.At) - now));
                now = Math.Floor(one.At);
            }

            Play(one);
        }
    }

    private void Play(Event one)
    {
        var (network, account) = (Bytes(one.Who.Network), Bytes(one.Who.Id));
        switch (one.Deed)
        {
            case Deed.AskForCode:
                if (Passes(one, Detectors.UnusedCodes, network) & Passes(one, Detectors.UnusedCodesOfRange, Bytes(one.About)))
                {
                    _anomalies.Observe(Detectors.UnusedCodes, network, 1);
                    _anomalies.Observe(Detectors.UnusedCodesOfRange, Bytes(one.About), 1);
                }

                break;
            case Deed.EnterCode:
                _anomalies.Observe(Detectors.UnusedCodes, network, -1.25);
                _anomalies.Observe(Detectors.UnusedCodesOfRange, Bytes(one.About), -1.25);
                break;
            case Deed.SignUp:
                Count(one, Detectors.SignUps, network, one.Weight);
                break;
            case Deed.Fail:
                Count(one, Detectors.FailedAuth, network, one.Weight);
                break;
            case Deed.Miss:
                Count(one, Detectors.NameScan, account, one.Weight);
                break;
            case Deed.OpenSocket:
                Count(one, Detectors.SocketChurn, account, one.Weight);
                break;
            case Deed.JoinRoom:
                Count(one, Detectors.RoomJoinStorm, network, one.Weight);
                break;
            case Deed.Upload:
                if (Count(one, Detectors.UnfetchedUploads, account, _unfetched.Value))
                {
                    _files.Add(one.About);
                }

                break;
            case Deed.FileEnds when _files.Remove(one.About):
                _unfetched.Note(wasFetched: one.Weight > 0);
                break;
            case Deed.FileEnds:
                break;
            case Deed.FetchNamed:
                Count(one, Detectors.KeySweep, account, null);
                break;
            case Deed.FetchSealed:
                Count(one, Detectors.KeySweepOfStrangers, network, null);
                break;
            default:
                Count(one, Detectors.FanOut, account, null);
                break;
        }
    }

    // A refused request is not counted: it does nothing.
    private bool Count(Event one, Detector detector, byte[] actor, double? weight)
    {
        if (!Passes(one, detector, actor))
        {
            return false;
        }

        if (weight is { } amount)
        {
            _anomalies.Observe(detector, actor, amount);
        }
        else
        {
            Span<byte> about = stackalloc byte[16];
            BinaryPrimitives.WriteInt32BigEndian(about, one.About);
            _anomalies.Observe(detector, actor, new Guid(about, bigEndian: true));
        }

        return true;
    }

    private bool Passes(Event one, Detector detector, byte[] actor)
    {
        var grade = _anomalies.Judge(detector, actor).Grade;
        var outcome = _outcomes[detector.Name];
        if (one.Who.Attack == detector.Name || (one.Who.Attack == Detectors.UnusedCodes.Name && detector == Detectors.UnusedCodesOfRange))
        {
            // Whoever pumps is found by the network or by the range, whichever is first.
            _outcomes[one.Who.Attack].Attackers[one.Who].Note(one.At, grade);
            if (detector == Detectors.UnusedCodesOfRange && grade >= Grade.Prove)
            {
                outcome.RangeFound(one.About, one.At);
            }
        }
        else if (one.Who.Attack is null)
        {
            outcome.Note(one.Who, grade, _shared.Contains((detector.Name, one.Who.Network)) && detector.Actor is LimitScope.Address);
        }

        return grade < Grade.Refuse;
    }

    private static byte[] Bytes(int number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        return bytes;
    }
}
