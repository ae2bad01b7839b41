namespace SecureChat.Server.Abuse;

internal static partial class AbuseLog
{
    [LoggerMessage(LogLevel.Warning, "What the anomaly detectors saw is lost while the hot store is away: {Error}")]
    public static partial void ObservationsLost(this ILogger log, string error);
}
