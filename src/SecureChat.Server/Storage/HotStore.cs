namespace SecureChat.Server.Storage;

/// <summary>What may die with the process on one machine and is shared on many: short-lived values, counters, notices.</summary>
/// <remarks>
/// Keys are plain names with a prefix per slice, written down in docs/operating.md; a key that holds an identifier holds
/// it hashed. Every entry has a life: nothing stays. Implementations: process memory, Redis; one behaviour suite for both.
/// </remarks>
internal interface IHotStore
{
    /// <summary>What the start-up message and the health check call it.</summary>
    string Name { get; }

    /// <summary>Whether other nodes see what this one writes.</summary>
    bool IsShared { get; }

    /// <summary>Throws when the store cannot be reached.</summary>
    Task PingAsync(CancellationToken ct);

    Task SetAsync(string key, ReadOnlyMemory<byte> value, TimeSpan life, CancellationToken ct);

    /// <summary>Sets the value only if there is none; false when there is one already.</summary>
    Task<bool> AddAsync(string key, ReadOnlyMemory<byte> value, TimeSpan life, CancellationToken ct);

    Task<byte[]?> GetAsync(string key, CancellationToken ct);

    /// <summary>Reads and removes in one step: of any number of parallel callers, one gets the value.</summary>
    Task<byte[]?> TakeAsync(string key, CancellationToken ct);

    Task<bool> RemoveAsync(string key, CancellationToken ct);

    /// <summary>Removes the value only if it is still <paramref name="expected"/>.</summary>
    Task<bool> RemoveIfAsync(string key, ReadOnlyMemory<byte> expected, CancellationToken ct);

    /// <summary>Adds one and returns the new count. The life starts with the first count and is not extended.</summary>
    Task<long> CountAsync(string key, TimeSpan life, CancellationToken ct);

    /// <summary>Takes tokens from a bucket that refills steadily; one round trip; fractions of a token are kept.</summary>
    /// <param name="before">
    /// Names under which the bucket was kept before, the newest first: if there is none under <paramref name="key"/>, the first
    /// that is found goes on. In a cluster all of them have to be in one slot.
    /// </param>
    /// <remarks>A refusal takes nothing; taking 0 looks without touching.</remarks>
    Task<TokensTaken> TakeTokensAsync(string key, IReadOnlyList<string> before, TokenBucket bucket, double amount, CancellationToken ct);

    /// <summary>Gives a value or a count that is under one of the names <paramref name="before"/> the name <paramref name="key"/>, unless that is taken.</summary>
    /// <remarks>One round trip; its life stays as it is. In a cluster all names have to be in one slot.</remarks>
    Task RenameAsync(string key, IReadOnlyList<string> before, CancellationToken ct);

    /// <summary>Adds to a counter that halves itself every <paramref name="halfLife"/> and never falls below 0; returns its new value.</summary>
    Task<double> AddDecayingAsync(string key, double amount, TimeSpan halfLife, CancellationToken ct);

    /// <summary>Adds hashes to a sketch and returns about how many of them are new to it. The life starts with the first.</summary>
    /// <param name="values">Uniform in all 64 bits.</param>
    Task<double> AddDistinctAsync(string key, IReadOnlyCollection<ulong> values, TimeSpan life, CancellationToken ct);

    /// <summary>Frees what has ended and that nobody will read; returns how much. A store that does so by itself returns 0.</summary>
    Task<int> ExpireAsync(CancellationToken ct);

    /// <summary>Sends a notice to every subscriber of the channel on every node. A hint: it may be lost.</summary>
    Task PublishAsync(string channel, ReadOnlyMemory<byte> notice, CancellationToken ct);

    /// <summary>Calls <paramref name="handler"/> for every notice, those of one publisher in order, until the result is disposed. It must not block.</summary>
    Task<IAsyncDisposable> SubscribeAsync(string channel, Action<ReadOnlyMemory<byte>> handler, CancellationToken ct);
}

/// <summary>A limit: <paramref name="Size"/> at once, refilled one token every <paramref name="Refill"/>.</summary>
internal readonly record struct TokenBucket(double Size, TimeSpan Refill);

/// <summary>What came of asking a bucket.</summary>
/// <param name="Wait">Zero when granted, else how long until as many tokens are there.</param>
/// <param name="Left">Tokens in the bucket now.</param>
internal readonly record struct TokensTaken(TimeSpan Wait, double Left);
