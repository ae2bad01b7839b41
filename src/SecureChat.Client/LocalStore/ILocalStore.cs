namespace SecureChat.Client.LocalStore;

/// <summary>
/// Where a device keeps everything: keys, sessions, messages. Small, so that a platform can bring its own; all meaning is in
/// the values.
/// </summary>
/// <remarks>
/// A store keeps values and names so that whoever reads its files learns neither. One client uses it at a time, from several
/// threads; a commit is seen by others whole or not at all.
/// </remarks>
public interface ILocalStore : IAsyncDisposable
{
    /// <summary>The value of a row, or null.</summary>
    /// <exception cref="LocalStoreException">The row was damaged or changed by somebody else.</exception>
    ValueTask<byte[]?> ReadAsync(string table, string key, CancellationToken ct);

    /// <summary>The rows of a table in the order in which they were first written, at most <paramref name="limit"/>.</summary>
    /// <param name="after">The position behind which to begin; 0 for the first.</param>
    ValueTask<IReadOnlyList<StoredRow>> ListAsync(string table, long after, int limit, CancellationToken ct);

    /// <summary>Makes all of the changes or none, for good when the task ends: also a cut of power then loses none.</summary>
    ValueTask CommitAsync(IReadOnlyList<RowChange> changes, CancellationToken ct);

    /// <summary>Sees to it that nothing that was removed or replaced can be found in the store's files any more.</summary>
    ValueTask EraseRemovedAsync(CancellationToken ct);
}

/// <summary>One row.</summary>
/// <param name="Position">Grows along a table; a row that is replaced keeps it.</param>
public sealed record StoredRow(long Position, string Key, ReadOnlyMemory<byte> Value);

/// <summary>One row to write, or to remove with a null value.</summary>
public sealed record RowChange(string Table, string Key, byte[]? Value);

/// <summary>The local store cannot be opened or read: a wrong passphrase, a damaged file.</summary>
#pragma warning disable CA1032 // One without a reason does not exist.
public sealed class LocalStoreException(string message, Exception? inner = null) : Exception(message, inner);
#pragma warning restore CA1032
