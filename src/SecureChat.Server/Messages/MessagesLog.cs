namespace SecureChat.Server.Messages;

internal static partial class MessagesLog
{
    [LoggerMessage(LogLevel.Error, "A message could not be stored: {Error}")]
    public static partial void SendFailed(this ILogger log, string error);

    [LoggerMessage(LogLevel.Error, "A queue could not be read: {Error}")]
    public static partial void ReadFailed(this ILogger log, string error);

    [LoggerMessage(LogLevel.Error, "An acknowledgement could not be stored: {Error}")]
    public static partial void AckFailed(this ILogger log, string error);

    [LoggerMessage(LogLevel.Warning, "Presence could not be renewed: {Error}")]
    public static partial void SweepFailed(this ILogger log, string error);
}
