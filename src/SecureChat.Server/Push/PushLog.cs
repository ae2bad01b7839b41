namespace SecureChat.Server.Push;

internal static partial class PushLog
{
    [LoggerMessage(LogLevel.Warning, "A wake-up could not be written down: {Error}")]
    public static partial void WakeUpLost(this ILogger log, string error);

    [LoggerMessage(LogLevel.Warning, "Due wake-ups could not be read: {Error}")]
    public static partial void ClaimFailed(this ILogger log, string error);

    [LoggerMessage(LogLevel.Debug, "A push by {Kind} failed with {Error}, attempt {Attempt}")]
    public static partial void SendFailed(this ILogger log, PushKind kind, string error, int attempt);

    [LoggerMessage(LogLevel.Warning, "{Kind} refuses this server's pushes with status {Status}")]
    public static partial void Refused(this ILogger log, PushKind kind, int status);

    [LoggerMessage(LogLevel.Warning, "The result of a push could not be written down: {Error}")]
    public static partial void ResultLost(this ILogger log, string error);
}
