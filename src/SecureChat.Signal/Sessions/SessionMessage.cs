namespace SecureChat.Signal.Sessions;

/// <summary>An encrypted message and its kind, which travels beside it.</summary>
/// <param name="Type">A message that can open a session, or one that cannot.</param>
/// <param name="Serialized">The bytes on the wire.</param>
public sealed record SessionMessage(CiphertextType Type, ReadOnlyMemory<byte> Serialized);
