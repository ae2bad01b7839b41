using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using SecureChat.Client.LocalStore;

namespace SecureChat.Client.Sqlite;

/// <summary>The local store in one SQLite file whose rows are sealed, names and values alike. Spec: docs/local-store.md.</summary>
/// <remarks>
/// What shows in the file: how many rows there are in how many tables, how long their values are, in which order they were written.
/// One process at a time has it open. A commit is on the disk when it ends.
/// </remarks>
public sealed class SqliteStore : ILocalStore
{
    private const string Schema = """
        CREATE TABLE IF NOT EXISTS head (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS rows (
            position INTEGER PRIMARY KEY AUTOINCREMENT, tab BLOB NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL);
        CREATE UNIQUE INDEX IF NOT EXISTS rows_by_name ON rows (tab, name);
        CREATE INDEX IF NOT EXISTS rows_by_position ON rows (tab, position);
        """;

    /// <summary>Whoever has the file open keeps it: to wait longer changes nothing.</summary>
    private const int LockedSeconds = 1;

    private const string Check = "check";
    private const string Salt = "salt";

    private readonly SqliteConnection _file;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private RowSealer _sealer = null!; // Set before an instance is given out.

    private SqliteStore(SqliteConnection file) => _file = file;

    /// <summary>Opens a store, or makes it, under a passphrase. Takes about half a second and 64 MiB: guessing must be dear.</summary>
    /// <param name="path">The file.</param>
    /// <param name="passphrase">Used in NFKC. A runtime without ICU (invariant globalization) does not normalize: there the caller does.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="LocalStoreException">The passphrase is wrong, the file is none of ours, or another process has it open.</exception>
    public static Task<SqliteStore> OpenAsync(string path, string passphrase, CancellationToken ct)
    {
        ArgumentException.ThrowIfNullOrEmpty(passphrase);
        return Task.Run(() => Open(path, store => PassphraseKey.Derive(passphrase, store.SaltOrNew())), ct);
    }

    /// <summary>Opens a store, or makes it, under a key that the platform keeps: a key store, a keyring.</summary>
    /// <param name="key">32 random bytes. Copied.</param>
    /// <inheritdoc cref="OpenAsync(string, string, CancellationToken)" path="/exception"/>
    public static Task<SqliteStore> OpenAsync(string path, ReadOnlyMemory<byte> key, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, RowSealer.KeySize);
        return Task.Run(() => Open(path, _ => key.ToArray()), ct);
    }

    /// <inheritdoc/>
    public async ValueTask<byte[]?> ReadAsync(string table, string key, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            using var command = Command("SELECT value FROM rows WHERE tab = $tab AND name = $name");
            var (tab, name) = (_sealer.Table(table), _sealer.Key(table, key));
            command.Parameters.AddWithValue("$tab", tab);
            command.Parameters.AddWithValue("$name", name);
            return command.ExecuteScalar() is byte[] stored ? _sealer.Open(tab, name, stored).Value.ToArray() : null;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<StoredRow>> ListAsync(string table, long after, int limit, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            using var command = Command(
                "SELECT position, name, value FROM rows WHERE tab = $tab AND position > $after ORDER BY position LIMIT $limit");
            var tab = _sealer.Table(table);
            command.Parameters.AddWithValue("$tab", tab);
            command.Parameters.AddWithValue("$after", after);
            command.Parameters.AddWithValue("$limit", limit);
            using var reader = command.ExecuteReader();
            var rows = new List<StoredRow>();
            while (reader.Read())
            {
                var (key, value) = _sealer.Open(tab, reader.GetFieldValue<byte[]>(1), reader.GetFieldValue<byte[]>(2));
                rows.Add(new StoredRow(reader.GetInt64(0), key, value));
            }

            return rows;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask CommitAsync(IReadOnlyList<RowChange> changes, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(changes);
        await _turn.WaitAsync(ct);
        try
        {
            using var transaction = _file.BeginTransaction();
            using var put = Command("""
                INSERT INTO rows (tab, name, value) VALUES ($tab, $name, $value)
                ON CONFLICT (tab, name) DO UPDATE SET value = excluded.value
                """);
            using var remove = Command("DELETE FROM rows WHERE tab = $tab AND name = $name");
            foreach (var change in changes)
            {
                var command = change.Value is null ? remove : put;
                command.Transaction = transaction;
                command.Parameters.Clear();
                command.Parameters.AddWithValue("$tab", _sealer.Table(change.Table));
                command.Parameters.AddWithValue("$name", _sealer.Key(change.Table, change.Key));
                if (change.Value is not null)
                {
                    command.Parameters.AddWithValue("$value", _sealer.Seal(change.Table, change.Key, change.Value));
                }

                command.ExecuteNonQuery();
            }

            transaction.Commit();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask EraseRemovedAsync(CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            EmptyLog();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _turn.WaitAsync();
        await _file.DisposeAsync();
        _sealer.Dispose();
        _turn.Dispose();
    }

    private static SqliteStore Open(string path, Func<SqliteStore, byte[]> keyOf)
    {
        OwnerOnly.Create(path);
        var file = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = LockedSeconds }.ToString());
        try
        {
            file.Open();
            var store = new SqliteStore(file);
            store.Execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;");
            store.Execute(Schema);
            var key = keyOf(store);
            store._sealer = new RowSealer(key);
            CryptographicOperations.ZeroMemory(key);
            store.RequireRightKey();

            // What was removed right before a crash may be in the log still.
            store.EmptyLog();
            return store;
        }
        catch (SqliteException e)
        {
            file.Dispose();
            throw new LocalStoreException(e.SqliteErrorCode is 5 or 6
                ? "The local store is open in another process."
                : "The file is no local store, or it is damaged.", e);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private byte[] SaltOrNew()
    {
        var salt = Head(Salt);
        if (salt is null)
        {
            salt = RandomNumberGenerator.GetBytes(PassphraseKey.SaltSize);
            SetHead(Salt, salt);
        }

        return salt;
    }

    private void RequireRightKey()
    {
        var stored = Head(Check);
        if (stored is null)
        {
            SetHead(Check, _sealer.Seal(Check, Check, []));
            return;
        }

        try
        {
            _sealer.Open(_sealer.Table(Check), _sealer.Key(Check, Check), stored);
        }
        catch (LocalStoreException e)
        {
            _sealer.Dispose();
            throw new LocalStoreException("The passphrase or key of the local store is wrong.", e);
        }
    }

    private byte[]? Head(string name)
    {
        using var command = Command("SELECT value FROM head WHERE name = $name");
        command.Parameters.AddWithValue("$name", name);
        return command.ExecuteScalar() as byte[];
    }

    private void SetHead(string name, byte[] value)
    {
        using var command = Command("INSERT INTO head (name, value) VALUES ($name, $value)");
        command.Parameters.AddWithValue("$name", name);
        command.Parameters.AddWithValue("$value", value);
        command.ExecuteNonQuery();
    }

    // Pages are overwritten as they are freed (secure_delete); old copies of them are in the log alone.
    private void EmptyLog() => Execute("PRAGMA wal_checkpoint(TRUNCATE)");

    private void Execute(string sql)
    {
        using var command = Command(sql);
        command.ExecuteNonQuery();
    }

#pragma warning disable CA2100 // Every text is a constant of this file.
    private SqliteCommand Command(string sql)
    {
        var command = _file.CreateCommand();
        command.CommandText = sql;
        return command;
    }
#pragma warning restore CA2100
}
