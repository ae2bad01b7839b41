using System.Diagnostics.Metrics;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Messages;

/// <summary>What the operator sees of the queues.</summary>
public sealed class QueueMetricsTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Envelopes_that_wait_and_that_expired_are_counted()
    {
        await using var node = await Node.StartAsync();
        var (meters, told) = (node.Get<IMeterFactory>(), new Dictionary<string, long>());
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Scope == meters && instrument.Name.StartsWith("securechat.queues.", StringComparison.Ordinal))
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => told[instrument.Name] =
            instrument is Counter<long> ? told.GetValueOrDefault(instrument.Name) + value : value);
        listener.Start();
        var queue = node.Get<IMessageQueue>();
        var sweep = node.Get<IEnumerable<Sweep>>().Single(one => one.Name is "envelopes");
        var now = node.Clock.GetUtcNow();
        await queue.AppendAsync([new Mail(new(Ids.New(), 1), 1, now + TimeSpan.FromMinutes(30), new byte[100])], null, Ct);
        await queue.AppendAsync([new Mail(new(Ids.New(), 1), 2, now + TimeSpan.FromMinutes(60), new byte[100])], null, Ct);

        await sweep.RemoveAsync(Ct);
        var before = (told["securechat.queues.envelopes"], told["securechat.queues.expired"]);
        node.Clock.AdjustTime(now + TimeSpan.FromMinutes(31));
        await sweep.RemoveAsync(Ct);
        var after = (told["securechat.queues.envelopes"], told["securechat.queues.expired"]);

        Assert.Equal((2, 0), before);
        Assert.Equal((1, 1), after);
    }
}
