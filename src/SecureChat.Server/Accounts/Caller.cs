using SecureChat.Protocol;

namespace SecureChat.Server.Accounts;

/// <summary>The authenticated device behind a request; handlers take it as a parameter.</summary>
/// <param name="Epoch">Ends with the device's credentials; see <see cref="Storage.AccountNotices.CredentialsEnded"/>.</param>
internal sealed record Caller(DeviceAddress Address, long Epoch)
{
    public Guid Account => Address.Account;

    public int Device => Address.Device;

    public bool IsPrimary => Device == 1;

    /// <summary>Set by the token scheme once the device behind the token is known to exist.</summary>
    public static ValueTask<Caller?> BindAsync(HttpContext context) => ValueTask.FromResult(context.Features.Get<Caller>());
}
