using System.Buffers.Text;
using System.Security.Cryptography;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>Short-lived addresses at which a device that is not linked yet can be reached, from any node.</summary>
/// <remarks>
/// Spec: docs/protocol/accounts.md#linking. Keys in the hot store, each with a hash of the address: <c>provisioning:</c> is there
/// while somebody waits, <c>provisioning-message:</c> holds the message; the channel <c>provisioning:</c> says that it is there.
/// </remarks>
internal sealed class ProvisioningAddresses(IHotStore hot, TimeProvider time)
{
    /// <summary>How long an address lives.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromSeconds(90);

    /// <summary>Opens a new address; disposing it closes it.</summary>
    public async Task<ProvisioningAddress> OpenAsync(CancellationToken ct)
    {
        var bytes = RandomNumberGenerator.GetBytes(ProvisioningAddress.Bytes);
        var name = Name(bytes);
        var address = new ProvisioningAddress(bytes, name, hot, time);
        await address.ListenAsync(ct);
        await hot.SetAsync($"{HotKeys.Provisioning}:{name}", new byte[] { 1 }, Life, ct);
        return address;
    }

    /// <summary>Hands a message to whoever waits at the address; false: nobody does, or a message was left already.</summary>
    public async Task<bool> PostAsync(byte[] address, byte[] message, CancellationToken ct)
    {
        var name = Name(address);
        if (await hot.TakeAsync($"{HotKeys.Provisioning}:{name}", ct) is null)
        {
            return false;
        }

        await hot.SetAsync($"{HotKeys.ProvisioningMessage}:{name}", message, Life, ct);
        await hot.PublishAsync($"{HotKeys.Provisioning}:{name}", ReadOnlyMemory<byte>.Empty, ct);
        return true;
    }

    private static string Name(byte[] address) => Base64Url.EncodeToString(SHA256.HashData(address));
}

/// <summary>One open provisioning address.</summary>
internal sealed class ProvisioningAddress(byte[] address, string name, IHotStore hot, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Size of an address.</summary>
    public const int Bytes = 16;

    private readonly SemaphoreSlim _posted = new(0);
    private readonly long _openedAt = time.GetTimestamp();
    private IAsyncDisposable? _subscription;

    /// <summary>16 random bytes, for the new device to show.</summary>
    public byte[] Address { get; } = address;

    internal async Task ListenAsync(CancellationToken ct) =>
        _subscription = await hot.SubscribeAsync($"{HotKeys.Provisioning}:{name}", _ => _posted.Release(), ct);

    /// <summary>The message, or null when none came within the address's life.</summary>
    public async Task<byte[]?> ReceiveAsync(CancellationToken ct)
    {
        while (time.GetElapsedTime(_openedAt) < ProvisioningAddresses.Life)
        {
            // Notices may be lost, so the message is looked for now and then as well.
            using var pause = new CancellationTokenSource(PollInterval, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, pause.Token);
            try
            {
                await _posted.WaitAsync(either.Token);
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                // Time to look.
            }

            if (await hot.TakeAsync($"{HotKeys.ProvisioningMessage}:{name}", ct) is { } message)
            {
                return message;
            }
        }

        return null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_subscription is not null)
        {
            await _subscription.DisposeAsync();
        }

        await hot.RemoveAsync($"{HotKeys.Provisioning}:{name}", CancellationToken.None);
        await hot.RemoveAsync($"{HotKeys.ProvisioningMessage}:{name}", CancellationToken.None);
        _posted.Dispose();
    }

    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(2);
}
