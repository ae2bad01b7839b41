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

    [Fact]
    public async Task The_log_can_be_emptied_right_after_the_schema_was_made()
    {
        await using var stores = new TestStores(StoreKind.Embedded, new TestClock(isReal: false));
        var db = await stores.DatabaseAsync();

        await db.ExecuteAsync($"CREATE TABLE canary (word TEXT)", Ct);
        await db.EmptyLogAsync(Ct);

        Assert.Equal(0, new FileInfo(Path.Combine(stores.Folder, "directory.db-wal")).Length);
    }
}
