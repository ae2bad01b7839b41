using System.Data;
using Dapper;
using Microsoft.Data.Sqlite;
using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Push;

/// <summary>The outbox of one machine: a SQLite file of its own, so that it never waits for the envelopes' writer.</summary>
/// <remarks>
/// One row per device: <c>due</c> when it is to be woken (NULL: not planned), <c>quiet</c> until when not, <c>lease</c> until when it is
/// claimed (NULL: not), <c>tries</c> since the last success. Times in Unix milliseconds. Only one process has the data folder.
/// </remarks>
internal sealed class SqlitePushOutbox : IPushOutbox, IDisposable
{
    /// <summary>What the file holds.</summary>
    internal const string Tables = """
        CREATE TABLE IF NOT EXISTS wake_up (
            device BLOB NOT NULL PRIMARY KEY, due INTEGER, quiet INTEGER NOT NULL, lease INTEGER, tries INTEGER NOT NULL
        ) WITHOUT ROWID;
        """;

    private readonly Lock _gate = new();
    private readonly SqliteConnection _connection;
    private readonly TimeProvider _time;

    /// <exception cref="SqliteException">The file is no database, is damaged, or cannot be written.</exception>
    public SqlitePushOutbox(string path, TimeProvider time)
    {
        _time = time;
        OwnerOnly.CreateFile(path);
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        _connection.Open();
        _connection.Execute($"""
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            PRAGMA secure_delete = ON;
            {Tables}
            """);
    }

    public Task ScheduleAsync(DeviceAddress device, DateTimeOffset due, CancellationToken ct) => Run(
        """
        INSERT INTO wake_up VALUES ($Name, $Due, 0, NULL, 0)
        ON CONFLICT (device) DO UPDATE SET due = max(excluded.due, quiet) WHERE due IS NULL OR due > max(excluded.due, quiet)
        """,
        new { Name = WakeUp.NameOf(device), Due = due.ToUnixTimeMilliseconds() });

    public Task<IReadOnlyList<WakeUp>> ClaimAsync(int count, TimeSpan pause, CancellationToken ct)
    {
        var now = Now();
        var lease = now + (long)WakeUp.LeaseLife.TotalMilliseconds;
        var at = new { Now = now, Lease = lease, Quiet = now + (long)pause.TotalMilliseconds, Count = count };
        lock (_gate)
        {
            // Looking is cheap, writing is not: most of the time nothing is due.
            if (_connection.ExecuteScalar<long>(
                "SELECT EXISTS (SELECT 1 FROM wake_up WHERE due <= $Now OR lease <= $Now OR (due IS NULL AND quiet <= $Now))", at) is 0)
            {
                return Task.FromResult<IReadOnlyList<WakeUp>>([]);
            }

            using var transaction = _connection.BeginTransaction();
            _connection.Execute(
                """
                UPDATE wake_up SET due = $Now, lease = NULL WHERE lease <= $Now;
                DELETE FROM wake_up WHERE due IS NULL AND lease IS NULL AND quiet <= $Now;
                """,
                at,
                transaction);
            var rows = _connection.Query<(byte[] Device, long Tries)>(
                """
                UPDATE wake_up SET due = NULL, lease = $Lease, quiet = $Quiet, tries = tries + 1
                WHERE device IN (SELECT device FROM wake_up WHERE due <= $Now AND lease IS NULL ORDER BY due LIMIT $Count)
                RETURNING device, tries
                """,
                at,
                transaction).AsList();
            transaction.Commit();
            return Task.FromResult<IReadOnlyList<WakeUp>>(
                [.. rows.Select(row => new WakeUp(WakeUp.DeviceOf(row.Device), (int)row.Tries, lease))]);
        }
    }

    public Task CompleteAsync(WakeUp wakeUp, CancellationToken ct) => Run(
        "UPDATE wake_up SET lease = NULL, tries = 0 WHERE device = $Name AND lease = $Lease",
        new { Name = WakeUp.NameOf(wakeUp.Device), wakeUp.Lease });

    public Task DropAsync(WakeUp wakeUp, CancellationToken ct) => Run(
        """
        DELETE FROM wake_up WHERE device = $Name AND lease = $Lease AND due IS NULL;
        UPDATE wake_up SET lease = NULL, tries = 0, quiet = 0, due = $Now WHERE device = $Name AND lease = $Lease;
        """,
        new { Name = WakeUp.NameOf(wakeUp.Device), wakeUp.Lease, Now = Now() });

    public Task RemoveAsync(DeviceAddress device, CancellationToken ct) =>
        Run("DELETE FROM wake_up WHERE device = $Name", new { Name = WakeUp.NameOf(device) });

    public Task PingAsync(CancellationToken ct)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_connection.State is not ConnectionState.Open, this);
            _connection.ExecuteScalar<long>("SELECT count(*) FROM wake_up WHERE device = x''");
        }

        return Task.CompletedTask;
    }

    public Task RetryAsync(WakeUp wakeUp, TimeSpan wait, CancellationToken ct) => Run(
        "UPDATE wake_up SET lease = NULL, due = $Due, quiet = $Due WHERE device = $Name AND lease = $Lease",
        new { Name = WakeUp.NameOf(wakeUp.Device), wakeUp.Lease, Due = Now() + (long)wait.TotalMilliseconds });

    public void Dispose()
    {
        lock (_gate)
        {
            _connection.Dispose();
        }
    }

    private long Now() => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private Task Run(string statement, object parameters)
    {
        lock (_gate)
        {
            _connection.Execute(statement, parameters);
        }

        return Task.CompletedTask;
    }
}
