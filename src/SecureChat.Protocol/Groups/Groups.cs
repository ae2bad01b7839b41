namespace SecureChat.Protocol.Groups;

/// <summary><c>PUT /v1/groups/state</c>: the next state of a group, in place of the one before.</summary>
/// <param name="Version">One more than the stored version; 1 for a new group.</param>
/// <param name="State">Ciphertext for the members, padded to a power of two from <see cref="Limits.MinGroupStateBytes"/> to <see cref="Limits.MaxGroupStateBytes"/>.</param>
/// <param name="Link">Who may ask to join; null: nobody.</param>
/// <param name="NewKey">The group's next public key, from a secret that removed members do not have; null: it stays.</param>
/// <param name="AdminKey">The public key that alone may change the group from now on; null: the group's key may.</param>
public sealed record PutGroup(long Version, byte[] State, GroupLink? Link = null, byte[]? NewKey = null, byte[]? AdminKey = null);

/// <summary>An invite link, as the server knows it.</summary>
/// <param name="Key">Public key from the link's secret.</param>
/// <param name="Preview">Ciphertext for whoever has the link, at most <see cref="Limits.MaxJoinBytes"/>.</param>
public sealed record GroupLink(byte[] Key, byte[] Preview);

/// <summary><c>GET /v1/groups/state</c>.</summary>
/// <param name="Version">What the next writer adds one to.</param>
/// <param name="State">As it was put.</param>
/// <param name="JoinRequests">How many wait.</param>
public sealed record GroupState(long Version, byte[] State, int JoinRequests);

/// <summary><c>GET /v1/groups/preview</c>: what a link shows before one joins.</summary>
public sealed record GroupPreview(byte[] Preview);

/// <summary><c>POST /v1/groups/requests</c>: asks to join.</summary>
/// <param name="Request">Ciphertext for the members, at most <see cref="Limits.MaxJoinBytes"/>.</param>
public sealed record AskToJoin(byte[] Request);

/// <summary><c>GET /v1/groups/requests</c>: who asked to join, oldest day first.</summary>
public sealed record JoinRequests(IReadOnlyList<JoinRequest> Requests);

/// <summary>One request to join.</summary>
/// <param name="Id">For deleting it.</param>
/// <param name="Request">As it was sent.</param>
public sealed record JoinRequest(Guid Id, byte[] Request);
