using Dapper;
using DbUp;
using DbUp.Builder;
using DbUp.Engine.Output;
using Npgsql;

namespace SecureChat.Server.Storage;

/// <summary>Brings the directory's schema up to date: the numbered files of <c>Storage/Migrations</c>, once each, in order.</summary>
internal static class Migrations
{
    // Any number, as long as every node of a deployment uses the same.
    private const long NodesTakeTurns = 0x5EC0_4EC4_A700_0001;

    /// <summary>Every migration, in order, as the database remembers it.</summary>
    public static IEnumerable<string> Names => typeof(Migrations).Assembly.GetManifestResourceNames()
        .Where(IsMigration).Order(StringComparer.Ordinal);

    /// <param name="postgres">Connection string, or empty for SQLite.</param>
    /// <param name="sqliteFile">The database file used when <paramref name="postgres"/> is empty.</param>
    /// <exception cref="InvalidOperationException">A migration failed; its name is in the message.</exception>
    public static void Apply(string postgres, string sqliteFile)
    {
        if (postgres.Length == 0)
        {
            // In a pool its connection would keep a read lock until the garbage is collected, and nobody could empty the log.
            Run(DeployChanges.To.SqliteDatabase($"Data Source={sqliteFile};Pooling=False"));
            return;
        }

        // Nodes that start together would otherwise run the same script twice. The lock ends with the connection.
        using var turn = new NpgsqlConnection(postgres);
        turn.Open();
        turn.Execute("SELECT pg_advisory_lock(@key)", new { key = NodesTakeTurns });
        Run(DeployChanges.To.PostgresqlDatabase(postgres));
        turn.Execute("SELECT pg_advisory_unlock(@key)", new { key = NodesTakeTurns });
    }

    private static bool IsMigration(string name) => name.EndsWith(".sql", StringComparison.Ordinal);

    private static void Run(UpgradeEngineBuilder target)
    {
        var result = target
            .WithScriptsEmbeddedInAssembly(typeof(Migrations).Assembly, IsMigration)
            .WithTransactionPerScript()
            .LogTo(new NoOpUpgradeLog())
            .Build()
            .PerformUpgrade();

        if (!result.Successful)
        {
            throw new InvalidOperationException($"Migration {result.ErrorScript?.Name} failed.", result.Error);
        }
    }
}
