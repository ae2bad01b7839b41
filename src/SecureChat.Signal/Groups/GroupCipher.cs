using SecureChat.Signal.Addresses;

namespace SecureChat.Signal.Groups;

/// <summary>Keeps sender keys, under the sender's address and the distribution.</summary>
/// <remarks>
/// A host that works on several messages at once serialises the use of one record: what is loaded, changed and stored by two
/// at the same time would use a key twice.
/// </remarks>
public interface ISenderKeyStore
{
    /// <summary>The record, or null. It becomes the caller's, who disposes it.</summary>
    ValueTask<SenderKeyRecord?> LoadAsync(ProtocolAddress sender, Guid distributionId, CancellationToken ct);

    /// <summary>
    /// Stores a record, for good when the task ends. It stays the caller's, who may dispose it then: store what
    /// <see cref="SenderKeyRecord.Serialize"/> gives.
    /// </summary>
    ValueTask StoreAsync(ProtocolAddress sender, Guid distributionId, SenderKeyRecord record, CancellationToken ct);
}

/// <summary>Encrypts and decrypts group messages with stored sender keys. docs/protocol/sender-keys.md.</summary>
/// <param name="store">Where the keys are.</param>
/// <param name="random">For keys and signatures.</param>
public sealed class GroupCipher(ISenderKeyStore store, RandomSource random)
{
    /// <summary>What gives our key for a distribution to a member, made if there is none yet. The caller disposes it.</summary>
    public async ValueTask<SenderKeyDistributionMessage> DistributeAsync(
        ProtocolAddress self, Guid distributionId, CancellationToken ct)
    {
        using var record = await LoadAsync(self, distributionId, ct).ConfigureAwait(false);
        var (next, message) = record.Distribute(distributionId, random);
        using (next)
        {
            await store.StoreAsync(self, distributionId, next, ct).ConfigureAwait(false);
            return message;
        }
    }

    /// <summary>Takes in the key that a member gave us in our session with that member. The message stays the caller's.</summary>
    public async ValueTask ProcessAsync(ProtocolAddress sender, SenderKeyDistributionMessage message, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(message);
        using var record = await LoadAsync(sender, message.DistributionId, ct).ConfigureAwait(false);
        using var next = record.Add(message);
        await store.StoreAsync(sender, message.DistributionId, next, ct).ConfigureAwait(false);
    }

    /// <summary>Encrypts for the group. See <see cref="SenderKeyRecord.Encrypt"/> for the errors.</summary>
    public async ValueTask<byte[]> EncryptAsync(
        ProtocolAddress self, Guid distributionId, ReadOnlyMemory<byte> plaintext, CancellationToken ct)
    {
        using var record = await LoadAsync(self, distributionId, ct).ConfigureAwait(false);
        var (next, message) = record.Encrypt(distributionId, plaintext.Span, random);
        using (next)
        {
            await store.StoreAsync(self, distributionId, next, ct).ConfigureAwait(false);
            return message;
        }
    }

    /// <summary>
    /// Decrypts a message of a member. See <see cref="SenderKeyRecord.Decrypt(ReadOnlySpan{byte})"/> for the errors.
    /// </summary>
    public async ValueTask<byte[]> DecryptAsync(ProtocolAddress sender, ReadOnlyMemory<byte> message, CancellationToken ct)
    {
        var parsed = SenderKeyMessage.Parse(message.Span);
        using var record = await LoadAsync(sender, parsed.DistributionId, ct).ConfigureAwait(false);
        var (next, plaintext) = record.Decrypt(parsed);
        using (next)
        {
            await store.StoreAsync(sender, parsed.DistributionId, next, ct).ConfigureAwait(false);
            return plaintext;
        }
    }

    private async ValueTask<SenderKeyRecord> LoadAsync(ProtocolAddress sender, Guid distributionId, CancellationToken ct) =>
        await store.LoadAsync(sender, distributionId, ct).ConfigureAwait(false) ?? SenderKeyRecord.Empty;
}
