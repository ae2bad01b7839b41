using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using SecureChat.Protocol.Calls;

namespace SecureChat.Server.Calls;

/// <summary>Makes credentials for coturn, which checks them by the secret that both know. Spec: docs/protocol/calls.md#relays.</summary>
/// <remarks>draft-uberti-behave-turn-rest-00. Nothing is kept: neither who asked, nor what for.</remarks>
internal sealed class RelayCredentials(IOptions<CallsOptions> options, IHostEnvironment environment, TimeProvider time)
{
    private readonly byte[] _secret = Encoding.UTF8.GetBytes(options.Value.TurnSecret);

    /// <summary>Whether peers of rooms are given relays.</summary>
    public bool AreForRooms { get; } = options.Value.RelaysForRooms ?? environment.IsDevelopment();

    /// <summary>The servers for one call, with a credential of its own for each region.</summary>
    public CallRelays Issue()
    {
        var life = options.Value.CredentialLife;
        var expires = (time.GetUtcNow() + life).ToUnixTimeSeconds();
        return new CallRelays([.. options.Value.Relays.SelectMany(region => Servers(region.Key, region.Value, expires))], (int)life.TotalSeconds);
    }

    /// <summary>Whether the server behind the URL asks for credentials.</summary>
    public static bool IsTurn(string url) => url.StartsWith("turn", StringComparison.Ordinal);

    private IEnumerable<RelayServer> Servers(string region, string[] urls, long expires)
    {
        var (turn, stun) = (urls.Where(IsTurn).ToList(), urls.Where(url => !IsTurn(url)).ToList());
        if (stun.Count > 0)
        {
            yield return new RelayServer(stun, region);
        }

        if (turn.Count > 0)
        {
            // Not the account: the relay would learn who calls, and whoever reads its log how often.
            var name = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
            var username = string.Create(CultureInfo.InvariantCulture, $"{expires}:{name}");
            yield return new RelayServer(turn, region, username, Sign(username));
        }
    }

    // coturn knows SHA-1 only; HMAC does not lean on what is broken about it.
    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5350", Justification = "The format is coturn's.")]
    private string Sign(string username) => Convert.ToBase64String(HMACSHA1.HashData(_secret, Encoding.ASCII.GetBytes(username)));
}
