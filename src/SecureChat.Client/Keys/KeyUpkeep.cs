using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Keys;

namespace SecureChat.Client.Keys;

/// <summary>Replaces signed prekeys every week and refills one-time keys, at a time that does not tell when the device came on.</summary>
internal sealed class KeyUpkeep(Device device)
{
    private const int FewKeys = 20;

    private static readonly TimeSpan LookEvery = TimeSpan.FromHours(6);
    private static readonly TimeSpan Spread = TimeSpan.FromHours(1);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromMinutes(10);

    private DateTimeOffset _notBefore;

    /// <summary>Does what is due.</summary>
    /// <returns>When to look again.</returns>
    public async Task<DateTimeOffset?> RunAsync(CancellationToken ct)
    {
        if (device.Now < _notBefore)
        {
            return _notBefore;
        }

        try
        {
            var self = await device.Turns.RunAsync(rows => Device.SelfAsync(rows, ct), ct);
            if (self.SignedKeysMade.ToTime() + PreKeys.RotateAfter <= device.Now)
            {
                await RotateAsync(ct);
            }

            var look = self.KeysRefilled.ToTime() + LookEvery;
            if (look > device.Now)
            {
                return look;
            }

            var refillAt = await RefillTimeAsync(ct);
            if (refillAt > device.Now)
            {
                return refillAt;
            }

            await RefillAsync(ct);
            return device.Now + LookEvery;
        }
        catch (Exception e) when (e is HttpRequestException or ServerException)
        {
            return _notBefore = device.Now + Jitter.Of(PauseAfterFailure);
        }
    }

    private async Task RotateAsync(CancellationToken ct)
    {
        var publish = await device.Turns.RunAsync(
            async rows =>
            {
                var self = await Device.SelfAsync(rows, ct);
                await PreKeys.ForgetOldAsync(rows, device.Options.Store, self, device.Now, ct);
                var (signed, lastResort) = PreKeys.MakeSigned(rows, self, device.Identity, device.Now);

                // Not made known yet: until it is, the next look makes another pair.
                self.SignedKeysMade = 0;
                rows.Put(Tables.Self, Tables.Only, self);
                return new PublishKeys(signed, lastResort);
            },
            ct);
        await PublishAsync(publish, self => self.SignedKeysMade = device.Now.Milliseconds(), ct);
    }

    private Task<DateTimeOffset> RefillTimeAsync(CancellationToken ct) => device.Turns.RunAsync(
        async rows =>
        {
            var self = await Device.SelfAsync(rows, ct);
            if (self.RefillAt == 0)
            {
                self.RefillAt = (device.Now + Jitter.Below(Spread)).Milliseconds();
                rows.Put(Tables.Self, Tables.Only, self);
            }

            return self.RefillAt.ToTime();
        },
        ct);

    private async Task RefillAsync(CancellationToken ct)
    {
        var left = await device.Credentials.WithTokenAsync(
            token => device.Api.SendAsync<object, KeyCounts>(HttpMethod.Get, "/v1/keys", token, null, ct), ct);
        var publish = left.OneTimeKeys >= FewKeys && left.KyberOneTimeKeys >= FewKeys
            ? null
            : await device.Turns.RunAsync(
                async rows =>
                {
                    var self = await Device.SelfAsync(rows, ct);
                    var made = PreKeys.MakeOneTime(rows, self, device.Identity, device.Now, device.Options.OneTimeKeys);
                    rows.Put(Tables.Self, Tables.Only, self);
                    return made;
                },
                ct);
        await PublishAsync(publish, self => (self.KeysRefilled, self.RefillAt) = (device.Now.Milliseconds(), 0), ct);
    }

    private async Task PublishAsync(PublishKeys? publish, Action<SelfRecord> record, CancellationToken ct)
    {
        if (publish is not null)
        {
            await device.Credentials.WithTokenAsync(
                async token =>
                {
                    await device.Api.CallAsync(HttpMethod.Put, "/v1/keys", token, publish, ct);
                    return true;
                },
                ct);
        }

        await device.Turns.RunAsync(
            async rows =>
            {
                var self = await Device.SelfAsync(rows, ct);
                record(self);
                rows.Put(Tables.Self, Tables.Only, self);
            },
            ct);
    }
}
