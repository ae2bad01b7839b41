namespace SecureChat.Server.Connections;

internal static partial class ConnectionsLog
{
    [LoggerMessage(LogLevel.Error, "Looking after a connection failed: {Error}")]
    public static partial void LookingAfterFailed(this ILogger log, string error);
}
