using System.Buffers.Binary;
using Microsoft.Data.Sqlite;
using SecureChat.Protocol;

namespace SecureChat.Server.Storage;

/// <summary>The database file behind <see cref="SqliteMessageQueue"/>: what survives the process, and nothing else.</summary>
/// <remarks>
/// One table in order of position, which is acceptance time in microseconds, so that everything older than the longest life
/// is one range. An acknowledged row loses recipient and content and stays as a tombstone, so that a repeated send is still known
/// after a restart. Not thread-safe; the queue's writer owns the writing half, <see cref="Read"/> has a connection of its own.
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
    private readonly SqliteCommand _saveClock;
    private readonly SqliteCommand _read;

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
            CREATE TABLE IF NOT EXISTS envelope (
                position INTEGER PRIMARY KEY, known BLOB NOT NULL, account BLOB, device INTEGER, deadline INTEGER NOT NULL, body BLOB
            );
            CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL);
            """);
        _insert = Prepare(
            _writer,
            "INSERT INTO envelope VALUES ($position, $known, $account, $device, $deadline, $body)",
            "$position", "$known", "$account", "$device", "$deadline", "$body");
        _acknowledge = Prepare(
            _writer, "UPDATE envelope SET account = NULL, device = NULL, body = NULL WHERE position = $position", "$position");
        _delete = Prepare(_writer, "DELETE FROM envelope WHERE position = $position", "$position");
        _deleteOld = Prepare(_writer, "DELETE FROM envelope WHERE position < $position", "$position");

        _saveClock = Prepare(
            _writer, "INSERT INTO clock VALUES (1, $at) ON CONFLICT (id) DO UPDATE SET at = excluded.at", "$at");

        _reader = new SqliteConnection(source);
        _reader.Open();
        _read = Prepare(_reader, "SELECT body FROM envelope WHERE position = $position", "$position");
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
    public IEnumerable<Row> Load()
    {
        using var command = _writer.CreateCommand();
        command.CommandText = "SELECT position, known, account, device, deadline, length(body) FROM envelope ORDER BY position";
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
                reader.IsDBNull(5) ? 0 : reader.GetInt32(5));
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

    public void Insert(long position, UInt128 known, DeviceAddress to, long deadline, byte[] body)
    {
        var key = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(key, known);
        _insert.Parameters[0].Value = position;
        _insert.Parameters[1].Value = key;
        _insert.Parameters[2].Value = to.Account.ToByteArray(bigEndian: true);
        _insert.Parameters[3].Value = to.Device;
        _insert.Parameters[4].Value = deadline;
        _insert.Parameters[5].Value = body;
        _insert.ExecuteNonQuery();
    }

    /// <summary>Leaves a tombstone.</summary>
    public void Acknowledge(long position) => Run(_acknowledge, position);

    public void Delete(long position) => Run(_delete, position);

    /// <summary>Deletes everything accepted before <paramref name="position"/>, tombstones included.</summary>
    public void DeleteOlderThan(long position) => Run(_deleteOld, position);

    /// <summary>The envelope at a position, or null when it is acknowledged or gone.</summary>
    public byte[]? Read(long position)
    {
        lock (_read)
        {
            _read.Parameters[0].Value = position;
            return _read.ExecuteScalar() as byte[];
        }
    }

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
        foreach (var command in (ReadOnlySpan<SqliteCommand>)[_insert, _acknowledge, _delete, _deleteOld, _saveClock, _read])
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
    internal readonly record struct Row(long Position, UInt128 Known, DeviceAddress? To, long Deadline, int Size);
}
