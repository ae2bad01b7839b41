namespace SecureChat.Client.LocalStore;

/// <summary>A store that is gone with the process: for tests, samples, and bots that begin anew.</summary>
public sealed class MemoryStore : ILocalStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Table, string Key), long> _positions = [];
    private readonly Dictionary<string, SortedList<long, StoredRow>> _tables = [];
    private long _last;

    /// <inheritdoc/>
    public ValueTask<byte[]?> ReadAsync(string table, string key, CancellationToken ct)
    {
        lock (_lock)
        {
            return new(_positions.TryGetValue((table, key), out var position) ? _tables[table][position].Value.ToArray() : null);
        }
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<StoredRow>> ListAsync(string table, long after, int limit, CancellationToken ct)
    {
        lock (_lock)
        {
            return new(_tables.TryGetValue(table, out var rows) ? [.. rows.Values.Where(row => row.Position > after).Take(limit)] : []);
        }
    }

    /// <inheritdoc/>
    public ValueTask CommitAsync(IReadOnlyList<RowChange> changes, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(changes);
        ct.ThrowIfCancellationRequested();
        lock (_lock)
        {
            foreach (var change in changes)
            {
                Make(change);
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask EraseRemovedAsync(CancellationToken ct) => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void Make(RowChange change)
    {
        if (!_tables.TryGetValue(change.Table, out var rows))
        {
            _tables[change.Table] = rows = [];
        }

        var isThere = _positions.TryGetValue((change.Table, change.Key), out var position);
        if (change.Value is { } value)
        {
            position = isThere ? position : ++_last;
            _positions[(change.Table, change.Key)] = position;
            rows[position] = new StoredRow(position, change.Key, value.ToArray());
        }
        else if (isThere)
        {
            _positions.Remove((change.Table, change.Key));
            rows.Remove(position);
        }
    }
}
