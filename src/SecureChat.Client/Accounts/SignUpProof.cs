namespace SecureChat.Client.Accounts;

/// <summary>What lets somebody make an account. Spec: docs/protocol/accounts.md#registration.</summary>
public sealed record SignUpProof
{
    private SignUpProof()
    {
    }

    internal string? InviteCode { get; private init; }

    internal string? Challenge { get; private init; }

    internal string? Code { get; private init; }

    internal byte[]? Lock { get; private init; }

    /// <summary>An invite: an account that no address or number leads to, lost with its last device.</summary>
    public static SignUpProof Invite(string code) => new() { InviteCode = code };

    /// <summary>The six digits that were sent for a challenge of <see cref="ChatClient.RequestCodeAsync"/>.</summary>
    /// <param name="invite">Where the server takes new accounts by invite only.</param>
    public static SignUpProof OneTimeCode(string challenge, string code, string? invite = null) =>
        new() { Challenge = challenge, Code = code, InviteCode = invite };

    /// <summary>The same for an account that has a registration lock.</summary>
    /// <param name="token">32 bytes.</param>
    public SignUpProof WithRegistrationLock(byte[] token) => this with { Lock = token };

    /// <summary>Never the codes.</summary>
    public override string ToString() => nameof(SignUpProof);
}
