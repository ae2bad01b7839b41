using System.Diagnostics.Metrics;

namespace SecureChat.Server.Messages;

/// <summary>Counts and durations of the relay. No label ever holds an identifier.</summary>
internal sealed class MessageMetrics
{
    private readonly Counter<long> _accepted;
    private readonly Counter<long> _acknowledged;
    private readonly Counter<long> _redelivered;
    private readonly Histogram<double> _acceptTime;
    private readonly Histogram<double> _acknowledgeTime;

    public MessageMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("SecureChat.Messages");
        _accepted = meter.CreateCounter<long>("securechat.messages.accepted", "{message}", "Messages stored for all their recipients.");
        _acknowledged = meter.CreateCounter<long>("securechat.messages.delivered", "{envelope}", "Envelopes acknowledged by a device.");
        _redelivered = meter.CreateCounter<long>("securechat.messages.redelivered", "{envelope}", "Envelopes sent again for want of an acknowledgement.");
        _acceptTime = meter.CreateHistogram<double>("securechat.messages.accept.duration", "s", "From a message's arrival until it is safe.");
        _acknowledgeTime = meter.CreateHistogram<double>("securechat.messages.delivery.duration", "s", "From sending an envelope until its acknowledgement.");
    }

    public void Accepted(TimeSpan elapsed)
    {
        _accepted.Add(1);
        _acceptTime.Record(elapsed.TotalSeconds);
    }

    public void Acknowledged(TimeSpan elapsed)
    {
        _acknowledged.Add(1);
        _acknowledgeTime.Record(elapsed.TotalSeconds);
    }

    public void Redelivered() => _redelivered.Add(1);
}
