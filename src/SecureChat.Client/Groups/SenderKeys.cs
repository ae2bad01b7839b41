using Google.Protobuf;
using SecureChat.Client.LocalStore;
using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Groups;

namespace SecureChat.Client.Groups;

/// <summary>Sender keys as rows of one transaction, each bound to the group that it was given for.</summary>
internal sealed class SenderKeys(StoreTransaction rows) : ISenderKeyStore
{
    /// <summary>The group of the key that was used last.</summary>
    public ByteString Group { get; private set; } = ByteString.Empty;

    /// <summary>Takes in the key that a member gave for a group; one that was given for another group stays that one's.</summary>
    public async Task LearnAsync(ProtocolAddress sender, ByteString group, ByteString distribution, CancellationToken ct)
    {
        using var message = SenderKeyDistributionMessage.Parse(distribution.Span);
        if (await rows.ReadAsync(Tables.SenderKeys, NameOf(sender, message.DistributionId), ct) is not { } row || row.Group == group)
        {
            Group = group;
            await new GroupCipher(this, RandomSource.System).ProcessAsync(sender, message, ct);
        }
    }

    public async Task<byte[]> DecryptAsync(ProtocolAddress sender, ReadOnlyMemory<byte> message, CancellationToken ct) =>
        await new GroupCipher(this, RandomSource.System).DecryptAsync(sender, message, ct);

    /// <summary>What gives this device's key to a member.</summary>
    public async Task<ByteString> DistributeAsync(ProtocolAddress self, ByteString group, Guid distribution, CancellationToken ct)
    {
        Group = group;
        using var message = await new GroupCipher(this, RandomSource.System).DistributeAsync(self, distribution, ct);
        return ByteString.CopyFrom(message.Serialize());
    }

    public async Task<byte[]> EncryptAsync(ProtocolAddress self, Guid distribution, byte[] padded, CancellationToken ct) =>
        await new GroupCipher(this, RandomSource.System).EncryptAsync(self, distribution, padded, ct);

    /// <inheritdoc/>
    public async ValueTask<SenderKeyRecord?> LoadAsync(ProtocolAddress sender, Guid distributionId, CancellationToken ct)
    {
        if (await rows.ReadAsync(Tables.SenderKeys, NameOf(sender, distributionId), ct) is not { } row)
        {
            return null;
        }

        Group = row.Group;
        return SenderKeyRecord.Parse(row.Record.Span);
    }

    /// <inheritdoc/>
    public ValueTask StoreAsync(ProtocolAddress sender, Guid distributionId, SenderKeyRecord record, CancellationToken ct)
    {
        rows.Put(Tables.SenderKeys, NameOf(sender, distributionId), new SenderKeyRow
        {
            Record = ByteString.CopyFrom(record.Serialize()),
            Group = Group,
        });
        return ValueTask.CompletedTask;
    }

    private static string NameOf(ProtocolAddress sender, Guid distribution) => $"{sender.Name}.{sender.DeviceId}/{distribution:N}";
}
