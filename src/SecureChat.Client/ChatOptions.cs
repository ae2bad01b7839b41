using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol;

namespace SecureChat.Client;

/// <summary>What a <see cref="ChatClient"/> stands on.</summary>
/// <param name="Server">The server of the account.</param>
/// <param name="Store">Where the device keeps everything. Stays the caller's, who disposes it after the client.</param>
public sealed record ChatOptions(ServerAddress Server, ILocalStore Store)
{
    /// <summary>How the server is reached.</summary>
    public INetwork Network { get; init; } = new SystemNetwork();

    /// <summary>The clock, and what waits.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>What happens when a contact's identity changes.</summary>
    public IdentityPolicy IdentityPolicy { get; init; } = IdentityPolicy.Notify;

    /// <summary>Whether contacts learn what was read.</summary>
    public bool SendReadReceipts { get; init; } = true;

    /// <summary>
    /// How long the server keeps what is not fetched: its operator's choice of 30 to 120 minutes. A content that is not confirmed by
    /// then is sent again.
    /// </summary>
    public TimeSpan ServerLife { get; init; } = TimeSpan.FromMinutes(120);

    /// <summary>When a content that nobody confirms is told to be not delivered.</summary>
    public TimeSpan GiveUpAfter { get; init; } = TimeSpan.FromDays(14);

    /// <summary>How long contents are kept back for one before them that is missing.</summary>
    public TimeSpan OrderPatience { get; init; } = TimeSpan.FromHours(2);

    /// <summary>One-time keys of each kind in one upload: 1 to 100.</summary>
    public int OneTimeKeys { get; init; } = Limits.MaxOneTimeKeys;
}
