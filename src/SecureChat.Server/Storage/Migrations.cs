using DbUp;
using DbUp.Builder;
using DbUp.Engine.Output;

namespace SecureChat.Server.Storage;

/// <summary>Brings the directory's schema up to date: the numbered files of <c>Storage/Migrations</c>, once each, in order.</summary>
internal static class Migrations
{
    /// <exception cref="InvalidOperationException">A migration failed; its name is in the message.</exception>
    public static void Apply(string postgres, string sqliteFile)
    {
        var target = postgres.Length > 0
            ? DeployChanges.To.PostgresqlDatabase(postgres)
            : DeployChanges.To.SqliteDatabase($"Data Source={sqliteFile}");
        Run(target);
    }

    private static void Run(UpgradeEngineBuilder target)
    {
        var result = target
            .WithScriptsEmbeddedInAssembly(
                typeof(Migrations).Assembly, name => name.EndsWith(".sql", StringComparison.Ordinal))
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
