using System.Text;
using Microsoft.Data.Sqlite;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Sqlite;

namespace SecureChat.Client.Tests.LocalStore;

/// <summary>What every local store does, and what the one in a file hides.</summary>
public sealed class StoreTests : IDisposable
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-store-");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string Path => System.IO.Path.Combine(_folder.FullName, "store.db");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_row_is_read_as_it_was_written_and_keeps_its_place(bool inMemory)
    {
        await using var store = await OpenAsync(inMemory);

        await store.CommitAsync([Put("a", "1", "one"), Put("a", "2", "two"), Put("b", "1", "other")], Ct);
        await store.CommitAsync([Put("a", "3", "three"), Put("a", "1", "one again"), new RowChange("a", "2", null)], Ct);

        Assert.Equal("one again", Text(await store.ReadAsync("a", "1", Ct)));
        Assert.Null(await store.ReadAsync("a", "2", Ct));
        Assert.Equal("other", Text(await store.ReadAsync("b", "1", Ct)));
        Assert.Equal(["1", "3"], (await store.ListAsync("a", 0, 10, Ct)).Select(row => row.Key));
        var first = Assert.Single(await store.ListAsync("a", 0, 1, Ct));
        Assert.Equal("3", Assert.Single(await store.ListAsync("a", first.Position, 10, Ct)).Key);
        Assert.Empty(await store.ListAsync("c", 0, 10, Ct));
    }

    [Fact]
    public async Task What_was_committed_is_there_after_the_file_was_closed()
    {
        await using (var store = await OpenAsync(inMemory: false))
        {
            await store.CommitAsync([Put("a", "1", "kept")], Ct);
        }

        await using var again = await OpenAsync(inMemory: false);
        Assert.Equal("kept", Text(await again.ReadAsync("a", "1", Ct)));
    }

    [Fact]
    public async Task The_file_shows_neither_values_nor_names()
    {
        await using (var store = await OpenAsync(inMemory: false))
        {
            await store.CommitAsync([Put("canary-table", "canary-name", "canary-value")], Ct);
            AssertHidden("canary");
        }

        AssertHidden("canary");
    }

    [Fact]
    public async Task What_was_removed_is_not_even_found_by_who_has_the_key()
    {
        await using var store = await OpenAsync(inMemory: false);
        await store.CommitAsync([.. Enumerable.Range(0, 50).Select(i => Put("a", $"{i}", new string('x', 5000)))], Ct);
        var sealedBytes = Stored();

        await store.CommitAsync([.. Enumerable.Range(0, 50).Select(i => new RowChange("a", $"{i}", null))], Ct);
        await store.EraseRemovedAsync(Ct);

        var left = Everything();
        Assert.Equal(50, sealedBytes.Count);
        Assert.All(sealedBytes, value => Assert.Equal(-1, left.AsSpan().IndexOf(value.AsSpan(100, 32))));
    }

    [Fact]
    public async Task What_was_removed_right_before_a_crash_is_gone_once_the_store_is_open_again()
    {
        await using var store = await OpenAsync(inMemory: false);
        await store.CommitAsync([.. Enumerable.Range(0, 50).Select(i => Put("a", $"{i}", new string('x', 5000)))], Ct);
        var sealedBytes = Stored();
        await store.CommitAsync([.. Enumerable.Range(0, 50).Select(i => new RowChange("a", $"{i}", null))], Ct);

        // What a process leaves that is killed now.
        var crashed = Copy();
        var before = Everything(crashed);
        byte[] left;
        await using (await SqliteStore.OpenAsync(System.IO.Path.Combine(crashed.FullName, "store.db"), Key, Ct))
        {
            left = Everything(crashed);
        }

        Assert.Contains(sealedBytes, value => before.AsSpan().IndexOf(value.AsSpan(100, 32)) >= 0);
        Assert.All(sealedBytes, value => Assert.Equal(-1, left.AsSpan().IndexOf(value.AsSpan(100, 32))));
        crashed.Delete(recursive: true);
    }

    [Fact]
    public async Task A_wrong_passphrase_and_a_wrong_key_are_told_as_such()
    {
        await using (await SqliteStore.OpenAsync(Path, "right", Ct))
        {
        }

        await using (await SqliteStore.OpenAsync(Path, "right", Ct))
        {
        }

        var wrong = await Assert.ThrowsAsync<LocalStoreException>(() => SqliteStore.OpenAsync(Path, "wrong", Ct));
        Assert.Contains("wrong", wrong.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<LocalStoreException>(() => SqliteStore.OpenAsync(Path, Key, Ct));
    }

    [Fact]
    public async Task A_row_that_was_changed_or_moved_is_refused()
    {
        await using (var store = await OpenAsync(inMemory: false))
        {
            await store.CommitAsync([Put("a", "1", "mine"), Put("a", "2", "yours"), Put("a", "3", "hers")], Ct);
        }

        Execute("UPDATE rows SET value = (SELECT value FROM rows WHERE position = 2) WHERE position = 1");
        Execute("UPDATE rows SET value = CAST(substr(value, 1, length(value) - 1) || x'00' AS BLOB) WHERE position = 3");

        await using var again = await OpenAsync(inMemory: false);
        await Assert.ThrowsAsync<LocalStoreException>(async () => await again.ReadAsync("a", "1", Ct));
        await Assert.ThrowsAsync<LocalStoreException>(async () => await again.ReadAsync("a", "3", Ct));
        Assert.Equal("yours", Text(await again.ReadAsync("a", "2", Ct)));
    }

    [Fact]
    public async Task A_file_that_is_open_is_not_opened_twice_and_is_its_owners_alone()
    {
        await using var store = await OpenAsync(inMemory: false);

        await Assert.ThrowsAsync<LocalStoreException>(() => SqliteStore.OpenAsync(Path, Key, Ct));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path));
        }
    }

    [Fact]
    public async Task A_file_of_something_else_is_refused()
    {
        await File.WriteAllTextAsync(Path, new string('x', 10_000), Ct);

        await Assert.ThrowsAsync<LocalStoreException>(() => SqliteStore.OpenAsync(Path, Key, Ct));
    }

    private async Task<ILocalStore> OpenAsync(bool inMemory) => inMemory ? new MemoryStore() : await SqliteStore.OpenAsync(Path, Key, Ct);

    [Fact]
    public async Task A_store_that_fails_ends_the_connection_with_its_reason()
    {
        await using var world = await Support.World.StartAsync();
        var store = new FailingStore();
        await using var client = await ChatClient.SignUpAsync(
            world.Server.OptionsFor(store), SignUpProof.Invite(await world.Server.CreateInviteAsync(Ct)), Ct);
        await client.ConnectAsync(Ct);
        var connection = client.Connection;

        store.Fails = true;
        await world.PassAsync(TimeSpan.FromHours(2));

        var why = await Assert.ThrowsAsync<LocalStoreException>(() => connection);
        Assert.Equal("damaged", why.Message);
    }

    private static RowChange Put(string table, string key, string value) => new(table, key, Encoding.UTF8.GetBytes(value));

    private static string Text(byte[]? value) => Encoding.UTF8.GetString(value!);

    private void AssertHidden(string canary)
    {
        var everything = Everything();
        Assert.True(everything.Length > 4096);
        Assert.Equal(-1, everything.AsSpan().IndexOf(Encoding.UTF8.GetBytes(canary)));
    }

    private byte[] Everything() => Everything(_folder);

    private static byte[] Everything(DirectoryInfo folder)
    {
        var all = new MemoryStream();
        foreach (var path in Directory.GetFiles(folder.FullName))
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            file.CopyTo(all);
        }

        return all.ToArray();
    }

    // The store holds its file for itself: a copy is looked at.
    private DirectoryInfo Copy()
    {
        var copies = Directory.CreateTempSubdirectory("securechat-copy-");
        foreach (var path in Directory.GetFiles(_folder.FullName))
        {
            using var from = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var to = File.Create(System.IO.Path.Combine(copies.FullName, System.IO.Path.GetFileName(path)));
            from.CopyTo(to);
        }

        return copies;
    }

    private List<byte[]> Stored()
    {
        var copies = Copy();
        var values = new List<byte[]>();
        using (var file = Open(System.IO.Path.Combine(copies.FullName, "store.db")))
        {
            using var command = file.CreateCommand();
            command.CommandText = "SELECT value FROM rows";
            using var reader = command.ExecuteReader();
            while (reader.Read())
            {
                values.Add(reader.GetFieldValue<byte[]>(0));
            }
        }

        copies.Delete(recursive: true);
        return values;
    }

    private void Execute(string sql)
    {
        using var file = Open(Path);
        using var command = file.CreateCommand();
#pragma warning disable CA2100 // Constants of this test.
        command.CommandText = sql;
#pragma warning restore CA2100
        Assert.Equal(1, command.ExecuteNonQuery());
    }

    private static SqliteConnection Open(string path)
    {
        var file = new SqliteConnection($"Data Source={path};Pooling=False");
        file.Open();
        return file;
    }

    private sealed class FailingStore : ILocalStore
    {
        private readonly MemoryStore _rows = new();

        public bool Fails { get; set; }

        public ValueTask<byte[]?> ReadAsync(string table, string key, CancellationToken ct) => Sound().ReadAsync(table, key, ct);

        public ValueTask<IReadOnlyList<StoredRow>> ListAsync(string table, long after, int limit, CancellationToken ct) =>
            Sound().ListAsync(table, after, limit, ct);

        public ValueTask CommitAsync(IReadOnlyList<RowChange> changes, CancellationToken ct) => Sound().CommitAsync(changes, ct);

        public ValueTask EraseRemovedAsync(CancellationToken ct) => Sound().EraseRemovedAsync(ct);

        public ValueTask DisposeAsync() => _rows.DisposeAsync();

        private MemoryStore Sound() => Fails ? throw new LocalStoreException("damaged") : _rows;
    }
}
