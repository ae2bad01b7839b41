using System.Buffers.Binary;
using Microsoft.Data.Sqlite;
using SecureChat.Protocol;

namespace SecureChat.Server.Storage;

/// <summary>The database file behind <see cref="SqliteMessageQueue"/>: what survives the process, and nothing else.</summary>
/// <remarks>
/// One table in order of position, which is acceptance time in microseconds, so that everything older than the longest life
/// is one range. An acknowledged row loses recipient and content and stays as a tombstone, so that a repeated send is still known
/// after a restart. What the envelopes of one message for many end with is one row of a second table, under the position of the
/// first of them. Not thread-safe; the queue's writer owns the writing half, <see cref="Read"/> has a connection of its own.
/// </remarks>
internal sealed class QueueFile : IDisposable
{
    private readonly FileStream _onlyOne;
    private readonly SqliteConnection _writer;
    private readonly SqliteConnection _reader;
    private readonly SqliteCommand _insert;
    private readonly SqliteCommand _acknowledge;
    private readonly SqliteCommand _delete;
    private readonly SqliteCommand _deleteOld;
    private readonly SqliteCommand _insertShared;
    private readonly SqliteCommand _deleteShared;
    private readonly SqliteCommand _deleteOldShared;
    private readonly SqliteCommand _saveClock;
    private readonly SqliteCommand _read;
    private readonly SqliteCommand _readShared;

    /// <summary>What the file holds.</summary>
    internal const string Tables = """
        CREATE TABLE IF NOT EXISTS envelope (
            position INTEGER PRIMARY KEY, known BLOB NOT NULL, account BLOB, device INTEGER, deadline INTEGER NOT NULL, body BLOB,
            shared INTEGER
        );
        CREATE TABLE IF NOT EXISTS shared_body (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
        CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL);
        """;

    /// <exception cref="StorageUnavailableException">Another process has the file open.</exception>
    /// <exception cref="SqliteException">The file is no database, is damaged, or cannot be written.</exception>
    public QueueFile(string path, bool survivesPowerLoss)
    {
        _onlyOne = Lock(path);
        var source = new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString();
        _writer = new SqliteConnection(source);
        _writer.Open();

        // NORMAL: a commit is in the file before it is answered, so kill -9 takes nothing; FULL also waits for the disk.
        Run($"""
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = {(survivesPowerLoss ? "FULL" : "NORMAL")};
            PRAGMA secure_delete = ON;
            PRAGMA wal_autocheckpoint = 4000;
            {Tables}
            """);
        AddColumnOfLaterVersion();
        _insert = Prepare(
            _writer,
            "INSERT INTO envelope VALUES ($position, $known, $account, $device, $deadline, $body, $shared)",
            "$position", "$known", "$account", "$device", "$deadline", "$body", "$shared");
        _insertShared = Prepare(_writer, "INSERT INTO shared_body VALUES ($id, $body)", "$id", "$body");
        _acknowledge = Prepare(
            _writer,
            "UPDATE envelope SET account = NULL, device = NULL, body = NULL, shared = NULL WHERE position = $position",
            "$position");
        _delete = Prepare(_writer, "DELETE FROM envelope WHERE position = $position", "$position");
        _deleteShared = Prepare(_writer, "DELETE FROM shared_body WHERE id = $id", "$id");
        _deleteOld = Prepare(_writer, "DELETE FROM envelope WHERE position < $position", "$position");
        _deleteOldShared = Prepare(_writer, "DELETE FROM shared_body WHERE id < $position", "$position");
        _saveClock = Prepare(
            _writer, "INSERT INTO clock VALUES (1, $at) ON CONFLICT (id) DO UPDATE SET at = excluded.at", "$at");

        _reader = new SqliteConnection(source);
        _reader.Open();
        _read = Prepare(_reader, "SELECT body FROM envelope WHERE position = $position", "$position");
        _readShared = Prepare(_reader, "SELECT body FROM shared_body WHERE id = $id", "$id");
    }

    /// <summary>The time that <see cref="SaveClock"/> wrote last, or zero.</summary>
    public long LoadClock()
    {
        using var command = _writer.CreateCommand();
        command.CommandText = "SELECT at FROM clock";
        return command.ExecuteScalar() as long? ?? 0;
    }

    public void SaveClock(long at) => Run(_saveClock, at);

    /// <summary>Every row in order of position: what the queue's memory is rebuilt from. Bodies are not read.</summary>
    /// <remarks>Shared bodies whose mails never came, because the process ended between, go first.</remarks>
    public IEnumerable<Row> Load()
    {
        Run("DELETE FROM shared_body WHERE id NOT IN (SELECT shared FROM envelope WHERE shared IS NOT NULL)");
        using var command = _writer.CreateCommand();
        command.CommandText = """
            SELECT position, known, account, device, deadline, length(e.body) + coalesce(length(s.body), 0), shared
            FROM envelope e LEFT JOIN shared_body s ON s.id = e.shared ORDER BY position
            """;
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            DeviceAddress? to = reader.IsDBNull(2)
                ? null
                : new DeviceAddress(new Guid(reader.GetFieldValue<byte[]>(2), bigEndian: true), reader.GetInt32(3));
            yield return new Row(
                reader.GetInt64(0),
                BinaryPrimitives.ReadUInt128BigEndian(reader.GetFieldValue<byte[]>(1)),
                to,
                reader.GetInt64(4),
                reader.IsDBNull(5) ? 0 : reader.GetInt32(5),
                reader.IsDBNull(6) ? 0 : reader.GetInt64(6));
        }
    }

    /// <summary>Moves what is committed into the database file and empties the log, so that deleted content is in neither.</summary>
    public void Checkpoint() => Run("PRAGMA wal_checkpoint(TRUNCATE)");

    public void Begin() => Run("BEGIN IMMEDIATE");

    public void Commit() => Run("COMMIT");

    /// <summary>Ends a failed batch, also one whose start or end is what failed.</summary>
    public void Rollback()
    {
        if (SQLitePCL.raw.sqlite3_get_autocommit(_writer.Handle) == 0)
        {
            Run("ROLLBACK");
        }
    }

    /// <param name="shared">Names the body that the envelope ends with.</param>
    public void Insert(long position, UInt128 known, DeviceAddress to, long deadline, byte[] body, long? shared)
    {
        var key = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(key, known);
        _insert.Parameters[0].Value = position;
        _insert.Parameters[1].Value = key;
        _insert.Parameters[2].Value = to.Account.ToByteArray(bigEndian: true);
        _insert.Parameters[3].Value = to.Device;
        _insert.Parameters[4].Value = deadline;
        _insert.Parameters[5].Value = body;
        _insert.Parameters[6].Value = shared is { } id ? id : DBNull.Value;
        _insert.ExecuteNonQuery();
    }

    public void InsertShared(long id, byte[] body)
    {
        _insertShared.Parameters[0].Value = id;
        _insertShared.Parameters[1].Value = body;
        _insertShared.ExecuteNonQuery();
    }

    public void DeleteShared(long id) => Run(_deleteShared, id);

    /// <summary>Leaves a tombstone.</summary>
    public void Acknowledge(long position) => Run(_acknowledge, position);

    public void Delete(long position) => Run(_delete, position);

    /// <summary>Deletes everything accepted before <paramref name="position"/>, tombstones included.</summary>
    public void DeleteOlderThan(long position)
    {
        Run(_deleteOld, position);
        Run(_deleteOldShared, position);
    }

    /// <summary>The envelope at a position, or its beginning if the end is shared; null when it is acknowledged or gone.</summary>
    public byte[]? Read(long position) => ReadBlob(_read, position);

    /// <summary>A shared body, or null when it is gone.</summary>
    public byte[]? ReadShared(long id) => ReadBlob(_readShared, id);

    /// <summary>A statement that fails when the file cannot be read.</summary>
    public void Check()
    {
        lock (_read)
        {
            using var command = _reader.CreateCommand();
            command.CommandText = "SELECT count(*) FROM sqlite_master";
            command.ExecuteScalar();
        }
    }

    public void Dispose()
    {
        foreach (var command in (ReadOnlySpan<SqliteCommand>)
            [
                _insert, _insertShared, _acknowledge, _delete, _deleteShared, _deleteOld, _deleteOldShared, _saveClock, _read, _readShared,
            ])
        {
            command.Dispose();
        }

        _reader.Dispose();
        _writer.Dispose();
        _onlyOne.Dispose();
    }

    // The queue's memory is right only as long as nobody else writes the file. The lock ends with the process, however that ends.
    private static FileStream Lock(string path)
    {
        OwnerOnly.CreateFile(path);
        OwnerOnly.CreateFile(path + ".lock");
        var file = new FileStream(path + ".lock", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        try
        {
            // A lock of a range, not of the file: whoever backs up or searches the folder may read it.
            if (!OperatingSystem.IsMacOS())
            {
                file.Lock(0, 1);
            }

            return file;
        }
        catch (IOException failure)
        {
            file.Dispose();
            throw new StorageUnavailableException(
                $"{path} is in use by another process. Only one server may use a data folder: stop the other one, " +
                "or give this one its own Storage:DataFolder.",
                failure);
        }
    }

    private byte[]? ReadBlob(SqliteCommand command, long key)
    {
        // One lock for the connection, which both commands use.
        lock (_read)
        {
            command.Parameters[0].Value = key;
            return command.ExecuteScalar() as byte[];
        }
    }

    private void AddColumnOfLaterVersion()
    {
        using var command = _writer.CreateCommand();
        command.CommandText = "SELECT count(*) FROM pragma_table_info('envelope') WHERE name = 'shared'";
        if (command.ExecuteScalar() is 0L)
        {
            Run("ALTER TABLE envelope ADD COLUMN shared INTEGER");
        }
    }

    private static SqliteCommand Prepare(SqliteConnection connection, string text, params ReadOnlySpan<string> parameters)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // Constants of this file only.
        command.CommandText = text;
#pragma warning restore CA2100
        foreach (var name in parameters)
        {
            command.Parameters.Add(new SqliteParameter { ParameterName = name });
        }

        return command;
    }

    private static void Run(SqliteCommand command, long position)
    {
        command.Parameters[0].Value = position;
        command.ExecuteNonQuery();
    }

    private void Run(string text)
    {
        using var command = _writer.CreateCommand();
#pragma warning disable CA2100 // Constants of this file only.
        command.CommandText = text;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    /// <summary>One row without its body; <paramref name="To"/> is null for a tombstone.</summary>
    internal readonly record struct Row(long Position, UInt128 Known, DeviceAddress? To, long Deadline, int Size, long Shared);
}
