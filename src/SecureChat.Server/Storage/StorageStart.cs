using System.Data.Common;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace SecureChat.Server.Storage;

/// <summary>Before anything else starts: every store answers and the directory's schema is up to date.</summary>
internal sealed class StorageStart(
    IOptions<StorageOptions> options, Database directory, IMessageQueue queue, IHotStore hot, TimeProvider time,
    ILogger<StorageStart> log) : IHostedLifecycleService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(5);

    /// <exception cref="StorageUnavailableException">A store does not answer, or a migration failed.</exception>
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var ct = cancellationToken;
        var storage = options.Value;
        await ReachAsync(
            directory.Name, directory.IsPostgres ? "Storage:Postgres" : "Storage:DataFolder", directory.PingAsync, ct);
        await ReachAsync(hot.Name, "Storage:Redis", hot.PingAsync, ct);
        await ReachAsync(queue.Name, storage.Redis.Length > 0 ? "Storage:Redis" : "Storage:DataFolder", queue.PingAsync, ct);
        Migrate(storage);
        log.StoresReady(directory.Name, queue.Name, hot.Name);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>What the operator is told about an embedded database that cannot be used.</summary>
    internal static StorageUnavailableException Damaged(string file, SqliteException failure) => new(
        failure.SqliteErrorCode switch
        {
            SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_LOCKED => $"{file} is locked by another process. Stop that one.",
            SQLitePCL.raw.SQLITE_NOTADB or SQLitePCL.raw.SQLITE_CORRUPT =>
                $"{file} is damaged or no SQLite database. Restore it from a backup, or move it away to start with an empty one.",
            _ => $"{file} cannot be used: {failure.Message}. Check owner, permissions and free space of Storage:DataFolder.",
        },
        failure);

    private void Migrate(StorageOptions storage)
    {
        var file = storage.FileOf(StorageOptions.DirectoryFile);
        try
        {
            Migrations.Apply(storage.Postgres, file);
        }
        catch (InvalidOperationException failure)
        {
            throw failure.InnerException is SqliteException sqlite
                ? Damaged(file, sqlite)
                : new StorageUnavailableException(
                    $"The schema of {directory.Name} cannot be brought up to date: {failure.Message} {failure.InnerException?.Message}",
                    failure);
        }
    }

    private async Task ReachAsync(string store, string setting, Func<CancellationToken, Task> pingAsync, CancellationToken ct)
    {
        var began = time.GetTimestamp();
        var patience = TimeSpan.FromSeconds(options.Value.StartPatienceSeconds);
        var pause = FirstPause;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await pingAsync(ct).WaitAsync(AnswerWithin, time, ct);
                if (attempt > 1)
                {
                    log.StoreReached(store, setting, attempt);
                }

                return;
            }
            catch (SqliteException failure)
            {
                throw Damaged(options.Value.FileOf(StorageOptions.DirectoryFile), failure);
            }
            catch (Exception failure) when (failure is DbException or RedisException or SocketException or TimeoutException)
            {
                if (time.GetElapsedTime(began) + pause > patience)
                {
                    throw new StorageUnavailableException(
                        $"{store} cannot be reached ({Reason(failure)}). Check {setting}, and that the store runs.", failure);
                }

                log.StoreUnreachable(store, setting, Reason(failure), attempt, pause.TotalSeconds);
            }

            await Task.Delay(pause, time, ct);
            pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestPause.Ticks));
        }
    }

    // Never the message of a driver: it may quote addresses and user names.
    private static string Reason(Exception failure) => failure switch
    {
        DbException { SqlState: { Length: > 0 } state } => $"SQLSTATE {state}",
        TimeoutException => "no answer in time",
        _ => failure.InnerException is SocketException socket ? socket.SocketErrorCode.ToString() : failure.GetType().Name,
    };
}
