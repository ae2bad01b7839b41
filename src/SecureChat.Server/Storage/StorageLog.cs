namespace SecureChat.Server.Storage;

internal static partial class StorageLog
{
    [LoggerMessage(LogLevel.Warning, "{Store} ({Setting}) cannot be reached: {Reason}. Attempt {Attempt}; next in {Seconds} s")]
    public static partial void StoreUnreachable(
        this ILogger log, string store, string setting, string reason, int attempt, double seconds);

    [LoggerMessage(LogLevel.Information, "{Store} ({Setting}) is reached at attempt {Attempt}")]
    public static partial void StoreReached(this ILogger log, string store, string setting, int attempt);

    [LoggerMessage(LogLevel.Information, "Directory: {Directory}; queues: {Queues}; short-lived state: {Hot}")]
    public static partial void StoresReady(this ILogger log, string directory, string queues, string hot);

    [LoggerMessage(LogLevel.Warning, "The object store of files failed: {Error}")]
    public static partial void BlobStoreFailed(this ILogger log, string error);

    [LoggerMessage(LogLevel.Warning, "A store did not answer a request: {Error}")]
    public static partial void StoreFailed(this ILogger log, string error);

    [LoggerMessage(LogLevel.Debug, "Sweep {Sweep} removed {Removed}")]
    public static partial void Swept(this ILogger log, string sweep, int removed);

    [LoggerMessage(LogLevel.Error, "Sweep {Sweep} failed with {Failure} and will be tried again")]
    public static partial void SweepFailed(this ILogger log, string sweep, string failure);
}
