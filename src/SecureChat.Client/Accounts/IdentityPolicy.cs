namespace SecureChat.Client.Accounts;

/// <summary>What happens when a contact's identity key changes. The person is told in either case.</summary>
public enum IdentityPolicy
{
    /// <summary>Sending goes on, but to a contact whose safety number was verified: that one waits for agreement.</summary>
    Notify,

    /// <summary>Nothing is sent to the contact until <c>ApproveIdentityAsync</c>.</summary>
    BlockUntilApproved,
}
