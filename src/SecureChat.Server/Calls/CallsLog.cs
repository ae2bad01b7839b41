namespace SecureChat.Server.Calls;

internal static partial class CallsLog
{
    [LoggerMessage(LogLevel.Warning, "Rooms could not be kept in the hot store: {Error}")]
    public static partial void RoomsNotKept(this ILogger log, string error);
}
