using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Storage;

public sealed class DatabaseTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryDatabase]
    internal async Task A_fresh_database_answers_and_has_every_migration(Database db)
    {
        await db.PingAsync(Ct);

        Assert.Equal(Migrations.Names, await db.QueryAsync<string>($"SELECT scriptname FROM schemaversions ORDER BY 1", Ct));
    }
}
