using System.Buffers.Binary;
using System.Text;
using Microsoft.Extensions.Options;
using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server.Abuse;

/// <summary>Counts what the detectors watch for, and knows who did too much of it. Spec: docs/protocol/abuse.md.</summary>
/// <remarks>
/// <para>
/// Observing writes into memory; once a second what came together goes to the hot store, off the path of any request. Judging reads
/// this node's memory alone. While the hot store is away nothing new is learnt and nobody is held up.
/// </para>
/// <para>
/// Keys in the hot store: <c>anomaly:detector:h</c> is a counter that decays, <c>anomaly-seen:detector:h</c> a sketch of what the actor
/// was counted for already. h is a keyed hash of the actor that changes every day; who did what to whom is kept nowhere.
/// </para>
/// </remarks>
internal sealed class Anomalies : BackgroundService
{
    private readonly IHotStore _hot;
    private readonly ActorNames _names;
    private readonly TimeProvider _time;
    private readonly ILogger<Anomalies> _log;
    private readonly AnomalyMode _mode;
    private readonly double _scale;
    private readonly Lock _gate = new();
    private Dictionary<ActorName, Pending> _pending = [];
    private bool _isAway;

    public Anomalies(
        IHotStore hot, ActorNames names, AnomalyMetrics metrics, IOptions<LimitsOptions> options, TimeProvider time, ILogger<Anomalies> log)
    {
        (_hot, _names, Metrics, _time, _log) = (hot, names, metrics, time, log);
        _scale = options.Value.Scale;
        _mode = _scale is 0 ? AnomalyMode.Off : options.Value.Anomalies;
        Suspects = new Suspects(_scale, time);
        metrics.Watch(Suspects);
    }

    public Suspects Suspects { get; }

    public AnomalyMetrics Metrics { get; }

    /// <summary>Counts something; negative amounts take back.</summary>
    public void Observe(Detector detector, ReadOnlySpan<byte> actor, double amount)
    {
        if (_mode is not AnomalyMode.Off)
        {
            var name = _names.Today(detector, actor);
            Add(name, amount, null);
        }
    }

    /// <summary>Counts something that was done to or about somebody: once a day for each of them.</summary>
    public void Observe(Detector detector, ReadOnlySpan<byte> actor, Guid about)
    {
        if (_mode is not AnomalyMode.Off)
        {
            var name = _names.Today(detector, actor);
            Span<byte> bytes = stackalloc byte[16];
            about.TryWriteBytes(bytes, bigEndian: true, out _);
            Add(name, 0, _names.Value(name, bytes));
        }
    }

    /// <summary>The actor's grade. No input or output; costs next to nothing while nobody is suspected.</summary>
    public Verdict Judge(Detector detector, ReadOnlySpan<byte> actor)
    {
        if (Suspects.IsEmpty || _mode is not AnomalyMode.Act)
        {
            return default;
        }

        var level = Math.Max(
            Suspects.LevelOf(_names.Today(detector, actor)), Suspects.LevelOf(_names.Yesterday(detector, actor)));
        return new Verdict(detector, detector.GradeOf(level), level);
    }

    /// <summary>Hands what was observed to the hot store.</summary>
    internal async Task FlushAsync(CancellationToken ct)
    {
        Dictionary<ActorName, Pending> batch;
        lock (_gate)
        {
            if (_pending.Count is 0)
            {
                return;
            }

            (batch, _pending) = (_pending, []);
        }

        foreach (var part in batch.Chunk(MaxParallel))
        {
            await Task.WhenAll(part.Select(one => RecordAsync(one.Key, one.Value, ct)));
        }
    }

    protected override async Task ExecuteAsync(CancellationToken ct)
    {
        // After the host's start: a store that cannot be reached yet must not hold it up.
        await Task.Yield();
        using var timer = new PeriodicTimer(FlushEvery, _time);
        IAsyncDisposable? subscription = null;
        try
        {
            for (var runs = 1; await timer.WaitForNextTickAsync(ct); runs++)
            {
                try
                {
                    subscription ??= _hot.IsShared ? await _hot.SubscribeAsync(HotKeys.Anomalies, OnNotice, ct) : null;
                    await FlushAsync(ct);
                    _isAway = false;
                }
                catch (Exception failure) when (!ct.IsCancellationRequested)
                {
                    Missed(failure);
                }

                if (runs % PruneEvery is 0)
                {
                    Suspects.Prune();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops; what was not counted yet is not worth waiting for.
        }
        finally
        {
            if (subscription is not null)
            {
                await subscription.DisposeAsync();
            }
        }
    }

    private void Missed(Exception failure)
    {
        if (!_isAway)
        {
            _log.ObservationsLost(failure.GetType().Name);
        }

        _isAway = true;
    }

    private void Add(in ActorName actor, double amount, ulong? value)
    {
        double sofar;
        lock (_gate)
        {
            if (!_pending.TryGetValue(actor, out var pending))
            {
                if (_pending.Count >= MaxPending)
                {
                    return;
                }

                _pending[actor] = pending = new Pending();
            }

            sofar = pending.Add(amount, value);
        }

        // Whoever does too much within one second is not waited for.
        if (sofar / _scale >= Math.Min(actor.Detector.Slow, actor.Detector.Prove) && sofar / _scale > Suspects.LevelOf(actor))
        {
            Follow(actor, sofar);
        }
    }

    private async Task RecordAsync(ActorName actor, Pending pending, CancellationToken ct)
    {
        var detector = actor.Detector;
        var amount = pending.Amount;
        if (pending.Values is { Count: > 0 } values)
        {
            amount += await _hot.AddDistinctAsync($"{HotKeys.AnomalySeen}:{detector.Name}:{actor}", values, Day, ct);
        }

        var level = await _hot.AddDecayingAsync($"{HotKeys.Anomaly}:{detector.Name}:{actor}", amount, detector.HalfLife, ct);
        Follow(actor, level);
        if (_hot.IsShared && detector.GradeOf(level / _scale) is not Grade.None)
        {
            await _hot.PublishAsync(HotKeys.Anomalies, NoticeOf(actor, level), ct);
        }
    }

    private void Follow(in ActorName actor, double level)
    {
        if (Suspects.Set(actor, level))
        {
            Metrics.Raised(actor.Detector, actor.Detector.GradeOf(level / _scale));
        }
    }

    private static byte[] NoticeOf(ActorName actor, double level)
    {
        var notice = new byte[24 + actor.Detector.Name.Length];
        BinaryPrimitives.WriteUInt128BigEndian(notice, actor.Hash);
        BinaryPrimitives.WriteDoubleBigEndian(notice.AsSpan(16), level);
        Encoding.ASCII.GetBytes(actor.Detector.Name, notice.AsSpan(24));
        return notice;
    }

    // A node of another version may know other detectors.
    private void OnNotice(ReadOnlyMemory<byte> notice)
    {
        if (notice.Length > 24
            && Detectors.All.FirstOrDefault(known => notice.Span[24..].SequenceEqual(known.NameBytes.AsSpan(..^1))) is { } detector)
        {
            var actor = new ActorName(detector, BinaryPrimitives.ReadUInt128BigEndian(notice.Span));
            Suspects.Set(actor, BinaryPrimitives.ReadDoubleBigEndian(notice.Span[16..]));
        }
    }

    private const int MaxPending = 100_000;
    private const int MaxParallel = 256;
    private const int PruneEvery = 60;
    private static readonly TimeSpan FlushEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>What one actor did since the last flush.</summary>
    private sealed class Pending
    {
        private const int MaxValues = 4096;

        public double Amount { get; private set; }

        public HashSet<ulong>? Values { get; private set; }

        public double Add(double amount, ulong? value)
        {
            Amount += amount;
            if (value is { } one && (Values ??= []).Count < MaxValues)
            {
                Values.Add(one);
            }

            return Amount + (Values?.Count ?? 0);
        }
    }
}

/// <summary>What an actor's level comes to.</summary>
/// <param name="Detector">Null: nobody is suspected of anything.</param>
internal readonly record struct Verdict(Detector? Detector, Grade Grade, double Level)
{
    /// <summary>How long the grade lasts if nothing is added.</summary>
    public TimeSpan Lasting => Detector?.LastingOf(Level) ?? TimeSpan.Zero;
}
