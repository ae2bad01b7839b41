using System.Diagnostics.Metrics;

namespace SecureChat.Server.Storage;

/// <summary>Removes expired envelopes and tells the operator how many wait and how many went undelivered.</summary>
internal sealed class QueueSweep
{
    private readonly IMessageQueue _queue;
    private readonly Gauge<long> _waiting;
    private readonly Counter<long> _expired;

    public QueueSweep(IMessageQueue queue, IMeterFactory meters)
    {
        _queue = queue;
        var meter = meters.Create(Reaper.MeterName);
        _waiting = meter.CreateGauge<long>("securechat.queues.envelopes", "{envelope}", "Envelopes waiting, over all queues of the store.");
        _expired = meter.CreateCounter<long>("securechat.queues.expired", "{envelope}", "Envelopes removed at their deadline, undelivered.");
    }

    public async Task<int> RunAsync(CancellationToken ct)
    {
        var expired = await _queue.ExpireAsync(ct);
        _expired.Add(expired);
        _waiting.Record(await _queue.CountAsync(ct));
        return expired;
    }
}
