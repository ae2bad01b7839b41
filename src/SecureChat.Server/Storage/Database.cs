using System.Data;
using System.Data.Common;
using Dapper;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace SecureChat.Server.Storage;

/// <summary>The directory: accounts, devices, public keys, token hashes. The only type that knows which database it is.</summary>
/// <remarks>
/// One SQL text serves both databases; what differs is a named fragment here. Rows are read into types with
/// <c>init</c> properties, snake_case columns to PascalCase names; BIGINT for every number, BYTEA for ids and keys.
/// </remarks>
internal sealed class Database : IAsyncDisposable
{
    private readonly DbDataSource? _postgres;
    private readonly string _sqlite = "";

    // SQLite has one writer; waiting here is fair and cheap, waiting in SQLite's busy handler is neither.
    private readonly SemaphoreSlim _writer = new(1, 1);

    static Database()
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        SqlMapper.RemoveTypeMap(typeof(Guid));
        SqlMapper.RemoveTypeMap(typeof(Guid?));
        SqlMapper.AddTypeHandler(new GuidHandler());
        SqlMapper.AddTypeHandler(new TimeHandler());
    }

    /// <summary>Opens lazily: nothing is contacted before the first statement.</summary>
    /// <param name="postgres">Connection string, or empty for SQLite.</param>
    /// <param name="sqliteFile">The database file used when <paramref name="postgres"/> is empty.</param>
    public Database(string postgres, string sqliteFile)
    {
        if (postgres.Length > 0)
        {
            _postgres = NpgsqlDataSource.Create(postgres);
        }
        else
        {
            _sqlite = new SqliteConnectionStringBuilder { DataSource = sqliteFile, ForeignKeys = true }.ToString();
        }
    }

    /// <summary>What the start-up message and the health check call it.</summary>
    public string Name => IsPostgres ? "PostgreSQL" : "SQLite";

    public bool IsPostgres => _postgres is not null;

    /// <summary>Lets parallel takers pass over rows that another transaction holds.</summary>
    public Sql SkipLocked => IsPostgres ? (Sql)$"FOR UPDATE SKIP LOCKED" : $"";

    /// <summary>Locks the rows read until the transaction ends.</summary>
    public Sql ForUpdate => IsPostgres ? (Sql)$"FOR UPDATE" : $"";

    /// <summary>Throws when the database cannot be reached.</summary>
    public Task PingAsync(CancellationToken ct) => QueryAsync<long>($"SELECT 1", ct);

    public Task<List<T>> QueryAsync<T>(Sql sql, CancellationToken ct) =>
        OnConnectionAsync(sql, connection => ReadAsync<T>(connection, null, sql, ct), ct);

    public async Task<T?> FirstOrDefaultAsync<T>(Sql sql, CancellationToken ct) =>
        (await QueryAsync<T>(sql, ct)) is [var first, ..] ? first : default;

    /// <summary>Runs a statement and returns the number of rows it changed.</summary>
    public Task<int> ExecuteAsync(Sql sql, CancellationToken ct) =>
        OnConnectionAsync(sql, connection => WriteAsync(connection, null, sql, ct), ct);

    /// <summary>The tables that have a column of that name, in order.</summary>
    public Task<List<string>> TablesWithAsync(string column, CancellationToken ct) => QueryAsync<string>(
        IsPostgres
            ? (Sql)$"""
                SELECT table_name FROM information_schema.columns
                WHERE table_schema = current_schema() AND column_name = {column} ORDER BY table_name
                """
            : $"""
                SELECT name FROM sqlite_master
                WHERE type = 'table' AND EXISTS (SELECT 1 FROM pragma_table_info(sqlite_master.name) WHERE name = {column} )
                ORDER BY name
                """,
        ct);

    /// <summary>Runs <paramref name="work"/> in one transaction: all of it is kept or, on an exception, none.</summary>
    public async Task<T> InTransactionAsync<T>(Func<Transaction, Task<T>> work, CancellationToken ct)
    {
        if (!IsPostgres)
        {
            await _writer.WaitAsync(ct);
        }

        try
        {
            await using var connection = await OpenAsync(ct);
            await using var transaction = await connection.BeginTransactionAsync(ct);
            var result = await work(new Transaction(connection, transaction));
            await transaction.CommitAsync(ct);
            return result;
        }
        finally
        {
            if (!IsPostgres)
            {
                _writer.Release();
            }
        }
    }

    /// <summary>Moves SQLite's log into the database and empties it: until then, what was replaced can be read there.</summary>
    /// <remarks>PostgreSQL's vacuum and logs are its operator's: docs/operating.md.</remarks>
    public async Task<int> EmptyLogAsync(CancellationToken ct)
    {
        if (!IsPostgres)
        {
            await ExecuteAsync($"PRAGMA wal_checkpoint(TRUNCATE)", ct);
        }

        return 0;
    }

    /// <summary>A raw connection, for migrations, schema dumps and tests.</summary>
    public async Task<DbConnection> OpenAsync(CancellationToken ct)
    {
        if (_postgres is not null)
        {
            return await _postgres.OpenConnectionAsync(ct);
        }

        var connection = new SqliteConnection(_sqlite);
        await connection.OpenAsync(ct);

        // NORMAL: a commit survives kill -9; power loss may take the last ones. secure_delete overwrites what is deleted
        // or replaced, also where FAST would leave it in pages that are free.
        await connection.ExecuteAsync(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000; PRAGMA secure_delete = ON;");
        return connection;
    }

    public async ValueTask DisposeAsync()
    {
        _writer.Dispose();
        if (_postgres is not null)
        {
            await _postgres.DisposeAsync();
        }
        else
        {
            using var any = new SqliteConnection(_sqlite);
            SqliteConnection.ClearPool(any);
        }
    }

    private static async Task<List<T>> ReadAsync<T>(
        DbConnection connection, DbTransaction? transaction, Sql sql, CancellationToken ct) =>
        (await connection.QueryAsync<T>(
            new CommandDefinition(sql.Text, sql.Parameters, transaction, cancellationToken: ct))).AsList();

    private static Task<int> WriteAsync(
        DbConnection connection, DbTransaction? transaction, Sql sql, CancellationToken ct) =>
        connection.ExecuteAsync(new CommandDefinition(sql.Text, sql.Parameters, transaction, cancellationToken: ct));

    private async Task<T> OnConnectionAsync<T>(Sql sql, Func<DbConnection, Task<T>> run, CancellationToken ct)
    {
        var takesWriter = !IsPostgres && !sql.Text.StartsWith("SELECT", StringComparison.OrdinalIgnoreCase);
        if (takesWriter)
        {
            await _writer.WaitAsync(ct);
        }

        try
        {
            await using var connection = await OpenAsync(ct);
            return await run(connection);
        }
        finally
        {
            if (takesWriter)
            {
                _writer.Release();
            }
        }
    }

    /// <summary>The statements of one transaction.</summary>
    internal sealed class Transaction(DbConnection connection, DbTransaction transaction)
    {
        public Task<List<T>> QueryAsync<T>(Sql sql, CancellationToken ct) =>
            ReadAsync<T>(connection, transaction, sql, ct);

        public async Task<T?> FirstOrDefaultAsync<T>(Sql sql, CancellationToken ct) =>
            (await QueryAsync<T>(sql, ct)) is [var first, ..] ? first : default;

        public Task<int> ExecuteAsync(Sql sql, CancellationToken ct) => WriteAsync(connection, transaction, sql, ct);
    }

    private sealed class GuidHandler : SqlMapper.TypeHandler<Guid>
    {
        public override Guid Parse(object value) => new((byte[])value, bigEndian: true);

        public override void SetValue(IDbDataParameter parameter, Guid value) =>
            throw new NotSupportedException("Ids reach the database through Sql.");
    }

    private sealed class TimeHandler : SqlMapper.TypeHandler<DateTimeOffset>
    {
        public override DateTimeOffset Parse(object value) => DateTimeOffset.FromUnixTimeMilliseconds((long)value);

        public override void SetValue(IDbDataParameter parameter, DateTimeOffset value) =>
            throw new NotSupportedException("Times reach the database through Sql.");
    }
}
