namespace SecureChat.Protocol;

/// <summary>Sizes and counts that servers and clients both obey. Prose: docs/protocol/overview.md.</summary>
public static class Limits
{
    /// <summary>Ciphertext for one device, in bytes (96 KiB).</summary>
    public const int MaxContentBytes = 96 * 1024;

    /// <summary>One WebSocket message, in bytes, after defragmentation (128 KiB).</summary>
    public const int MaxFrameBytes = 128 * 1024;

    /// <summary>Devices of one account, the primary included.</summary>
    public const int MaxDevices = 6;

    /// <summary>Highest device id; ids start at 1.</summary>
    public const int MaxDeviceId = 127;

    /// <summary>Registration ids are 14 bits, 1..16383, as libsignal's multi-recipient format needs.</summary>
    public const int MaxRegistrationId = 0x3FFF;

    /// <summary>One-time keys of each kind (EC, Kyber) kept per device and accepted per upload.</summary>
    public const int MaxOneTimeKeys = 100;

    /// <summary>Key ids are 31 bits.</summary>
    public const int MaxKeyId = int.MaxValue;

    /// <summary>Encrypted device name, in bytes.</summary>
    public const int MaxDeviceNameBytes = 225;

    /// <summary>Signed list of an account's devices, in bytes.</summary>
    public const int MaxDeviceListBytes = 256;

    /// <summary>Encrypted username behind a link, in bytes.</summary>
    public const int MaxUsernameLinkBytes = 128;

    /// <summary>SHA-256-sized hash under which a username is found, in bytes.</summary>
    public const int UsernameHashBytes = 32;

    /// <summary>Candidate hashes in one username reservation.</summary>
    public const int MaxUsernameCandidates = 20;

    /// <summary>Client-derived registration-lock token, in bytes.</summary>
    public const int RegistrationLockBytes = 32;

    /// <summary>Envelopes sent to a device and not yet acknowledged before the server pauses.</summary>
    public const int UnackedWindow = 256;

    /// <summary>Positions in one acknowledgement.</summary>
    public const int MaxAckBatch = 256;

    /// <summary>Recipient accounts in one send.</summary>
    public const int MaxRecipients = 64;

    /// <summary>Recipient accounts of one sealed message.</summary>
    public const int MaxSealedRecipients = 1024;

    /// <summary>Body of one request with a sealed message for many accounts, in bytes (256 KiB).</summary>
    public const int MaxSealedManyBytes = 256 * 1024;

    /// <summary>End-to-end encrypted provisioning message, in bytes (64 KiB).</summary>
    public const int MaxProvisioningBytes = 64 * 1024;

    /// <summary>Serialised X25519 public key: type byte 0x05 and 32 bytes.</summary>
    public const int PublicKeyBytes = 33;

    /// <summary>Serialised Kyber1024 public key: type byte 0x08 and 1568 bytes.</summary>
    public const int KyberPublicKeyBytes = 1569;

    /// <summary>XEdDSA signature, in bytes.</summary>
    public const int SignatureBytes = 64;

    /// <summary>URL of a Web Push or UnifiedPush endpoint, in bytes.</summary>
    public const int MaxPushEndpointBytes = 1024;

    /// <summary>Registration token of Firebase Cloud Messaging, in characters.</summary>
    public const int MaxFcmTokenLength = 4096;

    /// <summary>Smallest encrypted state of a group, in bytes (4 KiB); every size is a power of two.</summary>
    public const int MinGroupStateBytes = 4 * 1024;

    /// <summary>Encrypted state of a group, in bytes (512 KiB): enough for more than a thousand members.</summary>
    public const int MaxGroupStateBytes = 512 * 1024;

    /// <summary>An invite link's preview and a request to join, in bytes (4 KiB).</summary>
    public const int MaxJoinBytes = 4 * 1024;

    /// <summary>Requests to join that wait for one group.</summary>
    public const int MaxJoinRequests = 100;

    /// <summary>One uploaded file, encrypted and padded, in bytes (100 MiB).</summary>
    public const int MaxMediaBytes = 100 * 1024 * 1024;

    /// <summary>What a file may hold before it is padded and encrypted, in bytes (96 MiB).</summary>
    public const int MaxMediaContentBytes = 96 * 1024 * 1024;

    /// <summary>Life of an uploaded file, in minutes; also the longest time between its announcement and its end.</summary>
    public const int MaxMediaMinutes = 120;

    /// <summary>Downloads of one uploaded file.</summary>
    public const int MaxMediaDownloads = 1000;

    /// <summary>One chunk of an encrypted backup, in bytes (1 MiB).</summary>
    public const int MaxBackupChunkBytes = 1024 * 1024;

    /// <summary>Chunks of one encrypted backup.</summary>
    public const int MaxBackupChunks = 10_240;

    /// <summary>Manifest of an encrypted backup, in bytes (64 KiB).</summary>
    public const int MaxBackupManifestBytes = 64 * 1024;

    /// <summary>Peers in one room of a group call.</summary>
    public const int MaxRoomPeers = 8;

    /// <summary>Capability of a room, in bytes.</summary>
    public const int RoomCapabilityBytes = 32;

    /// <summary>One signal from peer to peer in a room, in bytes (16 KiB).</summary>
    public const int MaxSignalBytes = 16 * 1024;

    /// <summary>Session description in a call's offer or answer, in bytes (32 KiB).</summary>
    public const int MaxSdpBytes = 32 * 1024;

    /// <summary>Candidates in one message of a call.</summary>
    public const int MaxCandidates = 32;

    /// <summary>One candidate, in bytes.</summary>
    public const int MaxCandidateBytes = 512;
}
