using System.Text.Json;

namespace SecureChat.Protocol.Accounts;

/// <summary>Looks an account up by what it signed up with. Exactly one of the two is present.</summary>
public sealed record LookUpIdentifier(string? Email = null, string? Phone = null);

/// <summary>The account found, or the nil UUID: a hit and a miss have the same size.</summary>
public sealed record FoundAccount(Guid Account);

/// <summary>Whether the account is found by its e-mail address or number.</summary>
public sealed record Discoverable(bool Enabled);

/// <summary>Sets a registration lock. Spec: docs/protocol/accounts.md#registration-lock.</summary>
/// <param name="Token">32 bytes that the client derives from the user's PIN.</param>
public sealed record SetRegistrationLock(byte[] Token)
{
    /// <summary>Never the token.</summary>
    public override string ToString() => nameof(SetRegistrationLock);
}

/// <summary>Every stored field about the caller.</summary>
/// <param name="Tables">Rows by table. Bytes are in base64; of hashed secrets only the length is shown.</param>
/// <param name="Queued">Envelopes that wait for each device.</param>
public sealed record AccountData(
    IReadOnlyDictionary<string, IReadOnlyList<IReadOnlyDictionary<string, JsonElement>>> Tables,
    IReadOnlyDictionary<int, int> Queued);
