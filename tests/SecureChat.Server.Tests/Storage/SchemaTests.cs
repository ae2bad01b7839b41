using Dapper;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Architecture;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Storage;

/// <summary>The directory's schema in one file, for people: what all migrations together come to.</summary>
public sealed class SchemaTests
{
    private const string CommittedFile = "src/SecureChat.Server/Storage/schema.sql";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryDatabase]
    internal async Task The_migrations_give_the_committed_schema(Database db)
    {
        var file = Path.Combine(Sources.Root, CommittedFile);
        if (!db.IsPostgres && Environment.GetEnvironmentVariable("CHAT_TEST_WRITE_DOCS") is "1")
        {
            await File.WriteAllTextAsync(file, await DumpAsync(db), Ct);
        }

        var committed = await File.ReadAllTextAsync(file, Ct);

        if (db.IsPostgres)
        {
            Assert.Equal(ColumnsOf(committed), await PostgresColumnsAsync(db));
        }
        else
        {
            Assert.Equal(committed, await DumpAsync(db));
        }
    }

    private static async Task<string> DumpAsync(Database db)
    {
        await using var connection = await db.OpenAsync(Ct);
        var statements = await connection.QueryAsync<string>(
            """
            SELECT sql FROM sqlite_master
            WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND tbl_name <> 'SchemaVersions' ORDER BY tbl_name, type DESC, name
            """);
        return "-- What all migrations together come to. A test compares it; do not edit it by hand.\n\n"
            + string.Join("\n\n", statements.Select(statement => Tidy(statement) + ";")) + "\n";
    }

    // SQLite writes a column that was added later behind the last line of the statement.
    private static string Tidy(string statement) =>
        statement.Contains("\n, ", StringComparison.Ordinal)
            ? statement.Replace("\n, ", ",\n    ", StringComparison.Ordinal)[..^1] + "\n)"
            : statement;

    // "table.column type", in order.
    private static List<string> ColumnsOf(string schema)
    {
        var columns = new List<string>();
        var table = "";
        foreach (var line in schema.Split('\n').Select(line => line.Trim()))
        {
            if (line.StartsWith("CREATE TABLE ", StringComparison.Ordinal))
            {
                table = line.Split(' ')[2];
            }
            else if (line.Split(' ') is [var name, "BYTEA" or "BYTEA," or "BIGINT" or "BIGINT," or "TEXT" or "TEXT,", ..] words)
            {
                columns.Add($"{table}.{name} {words[1].TrimEnd(',')}");
            }
        }

        columns.Sort(StringComparer.Ordinal);
        return columns;
    }

    private static async Task<List<string>> PostgresColumnsAsync(Database db)
    {
        await using var connection = await db.OpenAsync(Ct);
        var columns = (await connection.QueryAsync<string>(
            """
            SELECT table_name || '.' || column_name || ' ' || upper(data_type) FROM information_schema.columns
            WHERE table_schema = current_schema() AND lower(table_name) <> 'schemaversions'
            """)).ToList();
        columns.Sort(StringComparer.Ordinal);
        return columns;
    }
}
