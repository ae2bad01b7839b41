namespace SecureChat.Signal;

/// <summary>What kind of message some bytes are. The number travels beside them, unencrypted or in a sealed envelope.</summary>
#pragma warning disable CA1008 // No kind of message has the number zero.
public enum CiphertextType
{
    /// <summary>A message of a session that both sides have used.</summary>
    Message = 2,

    /// <summary>A message that can also begin a session.</summary>
    PreKeyMessage = 3,

    /// <summary>A message to a group, under the sender's key for it.</summary>
    SenderKeyMessage = 7,

    /// <summary>Not encrypted in itself: a request to send a message again.</summary>
    PlaintextContent = 8,
}
#pragma warning restore CA1008
