using System.Text;
using Microsoft.Data.Sqlite;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Sqlite;

namespace SecureChat.Client.Tests.Support;

/// <summary>A store in a file, and every sealed form that rows with certain words in them ever had there.</summary>
internal sealed class WatchedStore : ILocalStore
{
    private const string FileName = "store.db";

    // Behind the nonce and before the tag: enough to be found by.
    private static readonly Range Telling = 12..44;

    private static readonly byte[] Key = new byte[32];

    private readonly DirectoryInfo _folder;
    private readonly SqliteStore _file;
    private readonly byte[][] _words;
    private readonly List<byte[]> _written = [];

    // A copy of the files that is made while the store writes them may be none.
    private readonly SemaphoreSlim _writing = new(1);

    private WatchedStore(DirectoryInfo folder, SqliteStore file, byte[][] words) => (_folder, _file, _words) = (folder, file, words);

    /// <summary>The tables that ever held one of the words.</summary>
    public HashSet<string> Tables { get; } = [];

    /// <summary>Whether a row holds one of the words now.</summary>
    public bool HoldsWords => WhileNobodyWrites(Rows).Count > 0;

    public static async Task<WatchedStore> OpenAsync(params byte[][] words)
    {
        var folder = Directory.CreateTempSubdirectory("securechat-watched-");
        return new WatchedStore(folder, await SqliteStore.OpenAsync(Path.Combine(folder.FullName, FileName), Key, World.Ct), words);
    }

    public static Task<WatchedStore> OpenAsync(params string[] words) => OpenAsync([.. words.Select(Encoding.UTF8.GetBytes)]);

    /// <summary>Neither a row with one of the words is left nor, for who has the key, a trace of one that there was.</summary>
    public void AssertGone()
    {
        Assert.NotEmpty(_written);
        var (rows, left) = WhileNobodyWrites(() => (Rows(), Directory.GetFiles(_folder.FullName).SelectMany(ReadAll).ToArray()));
        Assert.Empty(rows);
        Assert.All(_written, row => Assert.Equal(-1, left.AsSpan().IndexOf(row)));
    }

    public async ValueTask CommitAsync(IReadOnlyList<RowChange> changes, CancellationToken ct)
    {
        await _writing.WaitAsync(ct);
        try
        {
            await _file.CommitAsync(changes, ct);
            var telling = changes.Where(change => change.Value is { } value && Holds(value)).ToList();
            if (telling.Count > 0)
            {
                Tables.UnionWith(telling.Select(change => change.Table));
                _written.AddRange(Rows());
            }
        }
        finally
        {
            _writing.Release();
        }
    }

    public ValueTask<byte[]?> ReadAsync(string table, string key, CancellationToken ct) => _file.ReadAsync(table, key, ct);

    public ValueTask<IReadOnlyList<StoredRow>> ListAsync(string table, long after, int limit, CancellationToken ct) =>
        _file.ListAsync(table, after, limit, ct);

    public async ValueTask EraseRemovedAsync(CancellationToken ct)
    {
        await _writing.WaitAsync(ct);
        try
        {
            await _file.EraseRemovedAsync(ct);
        }
        finally
        {
            _writing.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _file.DisposeAsync();
        _writing.Dispose();
        _folder.Delete(recursive: true);
    }

    private T WhileNobodyWrites<T>(Func<T> look)
    {
        _writing.Wait(World.Ct);
        try
        {
            return look();
        }
        finally
        {
            _writing.Release();
        }
    }

    private bool Holds(ReadOnlySpan<byte> value)
    {
        foreach (var word in _words)
        {
            if (value.IndexOf(word) >= 0)
            {
                return true;
            }
        }

        return false;
    }

    // The store holds its file for itself: a copy is looked at.
    private List<byte[]> Rows()
    {
        var copies = Directory.CreateTempSubdirectory("securechat-copy-");
        foreach (var path in Directory.GetFiles(_folder.FullName))
        {
            File.WriteAllBytes(Path.Combine(copies.FullName, Path.GetFileName(path)), ReadAll(path));
        }

        var found = new List<byte[]>();
        using (var sealer = new RowSealer(Key))
        using (var file = new SqliteConnection($"Data Source={Path.Combine(copies.FullName, FileName)};Pooling=False"))
        {
            file.Open();
            using var command = file.CreateCommand();
            command.CommandText = "SELECT tab, name, value FROM rows";
            using var reader = command.ExecuteReader();
            while (reader.Read())
            {
                var stored = reader.GetFieldValue<byte[]>(2);
                if (Holds(sealer.Open(reader.GetFieldValue<byte[]>(0), reader.GetFieldValue<byte[]>(1), stored).Value.Span))
                {
                    found.Add(stored[Telling]);
                }
            }
        }

        copies.Delete(recursive: true);
        return found;
    }

    private static byte[] ReadAll(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var all = new byte[file.Length];
        file.ReadExactly(all);
        return all;
    }
}
