namespace SecureChat.Signal.Sessions;

/// <summary>The first byte of every message of a session: its version, and the newest one that its sender knows.</summary>
internal static class MessageVersion
{
    /// <summary>PQXDH, and the post-quantum ratchet beside the Double Ratchet.</summary>
    public const byte Current = 0x44;

    private const int Number = 4;

    /// <summary>Refuses every other version: falling back to an older one is what a downgrade attack wants.</summary>
    public static void Require(ReadOnlySpan<byte> message)
    {
        if (message.IsEmpty)
        {
            throw new SignalException(SignalError.InvalidMessage, "The message is empty.");
        }

        switch (message[0] >> 4)
        {
            case < Number:
                throw new SignalException(SignalError.LegacyVersion, "The message is of a version before PQXDH.");
            case > Number:
                throw new SignalException(SignalError.UnknownVersion, "The message is of a version that is not known here.");
            default:
                if (message[0] != Current)
                {
                    throw new SignalException(SignalError.InvalidMessage, "The message's version is damaged.");
                }

                break;
        }
    }
}
