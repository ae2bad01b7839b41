using System.Diagnostics.Metrics;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Push;

/// <summary>Counts of pushes by service and result. No label ever holds an identifier.</summary>
internal sealed class PushMetrics
{
    private readonly Counter<long> _pushes;

    public PushMetrics(IMeterFactory meters) => _pushes = meters.Create("SecureChat.Push").CreateCounter<long>(
        "securechat.push.attempts", "{push}", "Pushes by service and what came of them.");

    public void Attempted(PushKind kind, PushResult result) => _pushes.Add(
        1, new KeyValuePair<string, object?>(MetricLabels.Service, NameOf(kind)), new KeyValuePair<string, object?>(MetricLabels.Result, NameOf(result)));

    private static string NameOf(PushKind kind) => kind switch
    {
        PushKind.WebPush => "webpush",
        PushKind.UnifiedPush => "unifiedpush",
        PushKind.Fcm => "fcm",
        _ => "apns",
    };

    private static string NameOf(PushResult result) => result switch
    {
        PushResult.Sent => "sent",
        PushResult.Gone => "gone",
        PushResult.Later => "later",
        _ => "refused",
    };
}
