using System.Collections.Concurrent;
using SecureChat.Signal.Addresses;

namespace SecureChat.Signal.Groups;

/// <summary>Sender keys in memory, for tests and samples: gone when the process ends.</summary>
public sealed class InMemorySenderKeyStore : ISenderKeyStore
{
    private readonly ConcurrentDictionary<(ProtocolAddress Sender, Guid Distribution), byte[]> _records = [];

    /// <inheritdoc/>
    public ValueTask<SenderKeyRecord?> LoadAsync(ProtocolAddress sender, Guid distributionId, CancellationToken ct) => new(
        _records.TryGetValue((sender, distributionId), out var stored) ? SenderKeyRecord.Parse(stored) : null);

    /// <inheritdoc/>
    public ValueTask StoreAsync(
        ProtocolAddress sender, Guid distributionId, SenderKeyRecord record, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(record);
        _records[(sender, distributionId)] = record.Serialize();
        return ValueTask.CompletedTask;
    }
}
