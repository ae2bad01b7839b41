using Google.Protobuf;

namespace SecureChat.Client.LocalStore;

/// <summary>Changes that become durable together: what is read through it is as if they were made already.</summary>
internal sealed class StoreTransaction(ILocalStore store)
{
    private const int PageSize = 256;

    private readonly Dictionary<(string Table, string Key), byte[]?> _changes = [];
    private readonly List<Action> _afterwards = [];

    /// <summary>Whether something was removed that must not be found in files any more.</summary>
    public bool ErasesRemoved { get; set; }

    /// <summary>Runs once the changes are durable.</summary>
    public void Afterwards(Action action) => _afterwards.Add(action);

    public async ValueTask<byte[]?> ReadAsync(string table, string key, CancellationToken ct) =>
        _changes.TryGetValue((table, key), out var changed) ? changed : await store.ReadAsync(table, key, ct);

    public async ValueTask<T?> ReadAsync<T>(Table<T> table, string key, CancellationToken ct)
        where T : class, IMessage<T> =>
        await ReadAsync(table.Name, key, ct) is { } stored ? table.Parser.ParseFrom(stored) : null;

    /// <summary>Every row, oldest first.</summary>
    public async ValueTask<IReadOnlyList<(string Key, T Record)>> ListAsync<T>(Table<T> table, CancellationToken ct)
        where T : class, IMessage<T>
    {
        var rows = new List<(string, T)>();
        var seen = new HashSet<string>();
        long after = 0;
        while (true)
        {
            var page = await store.ListAsync(table.Name, after, PageSize, ct);
            foreach (var row in page)
            {
                seen.Add(row.Key);
                if (!_changes.TryGetValue((table.Name, row.Key), out var changed))
                {
                    rows.Add((row.Key, table.Parser.ParseFrom(row.Value.Span)));
                }
                else if (changed is not null)
                {
                    rows.Add((row.Key, table.Parser.ParseFrom(changed)));
                }
            }

            if (page.Count < PageSize)
            {
                break;
            }

            after = page[^1].Position;
        }

        rows.AddRange(_changes
            .Where(change => change.Key.Table == table.Name && change.Value is not null && !seen.Contains(change.Key.Key))
            .Select(change => (change.Key.Key, table.Parser.ParseFrom(change.Value))));
        return rows;
    }

    public void Put(string table, string key, byte[] value) => _changes[(table, key)] = value;

    public void Put<T>(Table<T> table, string key, T record)
        where T : class, IMessage<T> => Put(table.Name, key, record.ToByteArray());

    public void Remove(string table, string key) => _changes[(table, key)] = null;

    public void Remove<T>(Table<T> table, string key)
        where T : class, IMessage<T> => Remove(table.Name, key);

    public async ValueTask CommitAsync(CancellationToken ct)
    {
        if (_changes.Count > 0)
        {
            await store.CommitAsync([.. _changes.Select(change => new RowChange(change.Key.Table, change.Key.Key, change.Value))], ct);
        }

        if (ErasesRemoved)
        {
            await store.EraseRemovedAsync(ct);
        }

        foreach (var action in _afterwards)
        {
            action();
        }
    }
}

/// <summary>A table and what its rows are.</summary>
internal sealed record Table<T>(string Name, MessageParser<T> Parser)
    where T : IMessage<T>;

/// <summary>The work on a store, one piece after the other, each durable as a whole or not at all.</summary>
internal sealed class StoreTurns(ILocalStore store) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>Runs one piece of work and makes its changes durable; an exception drops them all.</summary>
    public async Task<T> RunAsync<T>(Func<StoreTransaction, Task<T>> work, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            var transaction = new StoreTransaction(store);
            var result = await work(transaction);

            // Once the work is done it is kept: half of it may be on a wire already.
            await transaction.CommitAsync(CancellationToken.None);
            return result;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public Task RunAsync(Func<StoreTransaction, Task> work, CancellationToken ct) => RunAsync(
        async transaction =>
        {
            await work(transaction);
            return true;
        },
        ct);

    public void Dispose() => _turn.Dispose();
}
