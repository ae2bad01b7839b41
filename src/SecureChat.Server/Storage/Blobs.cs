namespace SecureChat.Server.Storage;

/// <summary>Ciphertext too large for a database, by name: files of this machine, or objects of an S3-compatible store.</summary>
/// <remarks>
/// A name is <c>area/hexadecimal</c> and never holds text from outside. One writer at a time; the caller sees to that. Content streams: no
/// implementation holds more than a buffer of it. One behaviour suite for all.
/// </remarks>
internal interface IBlobStore
{
    /// <summary>What the start-up message calls it.</summary>
    string Name { get; }

    /// <summary>Throws when the store cannot be reached.</summary>
    Task PingAsync(CancellationToken ct);

    /// <summary>Bytes that are kept; 0 if there is nothing of that name.</summary>
    Task<long> LengthAsync(string name, CancellationToken ct);

    /// <summary>Opens the blob's end for writing.</summary>
    /// <param name="offset">Where the end is: the blob's length now.</param>
    /// <param name="whole">
    /// Nothing of it is kept unless <see cref="IBlobAppend.KeepAsync"/> is called, whatever happens to the process. Otherwise as much as
    /// possible is kept.
    /// </param>
    /// <exception cref="BlobsFullException">The disk is full.</exception>
    Task<IBlobAppend> AppendAsync(string name, long offset, bool whole, CancellationToken ct);

    /// <summary>The bytes from <paramref name="offset"/> on, or null if there are not that many.</summary>
    Task<Stream?> ReadAsync(string name, long offset, long count, CancellationToken ct);

    /// <summary>Deletes what there is of that name.</summary>
    Task RemoveAsync(string name, CancellationToken ct);

    /// <summary>Deletes what was last written before <paramref name="before"/> and returns how many blobs that were.</summary>
    Task<int> RemoveOlderAsync(string area, DateTimeOffset before, CancellationToken ct);
}

/// <summary>Bytes being added to the end of a blob. Disposing without <see cref="KeepAsync"/> leaves it open what is kept, see there.</summary>
internal interface IBlobAppend : IAsyncDisposable
{
    /// <exception cref="BlobsFullException">The disk is full.</exception>
    ValueTask WriteAsync(IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken ct);

    /// <summary>Everything written so far survives the death of the process.</summary>
    Task KeepAsync(CancellationToken ct);
}

/// <summary>There is no room for more.</summary>
internal sealed class BlobsFullException(Exception? inner = null) : Exception("The blob store is full.", inner);

/// <summary>The blob store does not answer, or refuses this server.</summary>
internal sealed class BlobsUnavailableException(Exception inner) : Exception("The blob store is unavailable.", inner);
