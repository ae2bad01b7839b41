using Google.Protobuf;

namespace SecureChat.Client.LocalStore;

/// <summary>Every table of the local store, and how its rows are named.</summary>
internal static class Tables
{
    /// <summary>The key of a table's only row.</summary>
    public const string Only = "self";

    /// <summary>Sessions as the protocol library serialises them, by remote device.</summary>
    public const string Sessions = "sessions";

    /// <summary>The day on which each session was last used, as days since 1970 in four bytes, big-endian.</summary>
    public const string SessionDays = "session-days";

    public const string OneTimeKeys = "one-time-keys";

    public const string SignedKeys = "signed-keys";

    public static readonly Table<SelfRecord> Self = new("self", SelfRecord.Parser);

    public static readonly Table<CredentialsRecord> Credentials = new("credentials", CredentialsRecord.Parser);

    public static readonly Table<KyberRecord> KyberKeys = new("kyber-keys", KyberRecord.Parser);

    public static readonly Table<ContactRecord> Contacts = new("contacts", ContactRecord.Parser);

    public static readonly Table<StreamRecord> Streams = new("streams", StreamRecord.Parser);

    public static readonly Table<OutboxRecord> Outbox = new("outbox", OutboxRecord.Parser);

    public static readonly Table<ReceiptsRecord> Receipts = new("receipts", ReceiptsRecord.Parser);

    public static readonly Table<RetryRecord> RetryRequests = new("retry-requests", RetryRecord.Parser);

    public static readonly Table<SeenRecord> Seen = new("seen", SeenRecord.Parser);

    /// <summary>Contents that destroyed themselves or were opened once: neither they nor changes of them are shown any more.</summary>
    public static readonly Table<SeenRecord> Erased = new("erased", SeenRecord.Parser);

    /// <summary>Contents that another device of the account has confirmed.</summary>
    public static readonly Table<SeenRecord> Confirmed = new("confirmed", SeenRecord.Parser);

    public static readonly Table<EarlyRecord> Early = new("early", EarlyRecord.Parser);

    /// <summary>Contents that another device of the account has read and that have not come here, and when it did.</summary>
    public static readonly Table<SeenRecord> EarlyReads = new("early-reads", SeenRecord.Parser);

    public static readonly Table<EventRecord> Events = new("events", EventRecord.Parser);

    public static readonly Table<BackupRecord> Backups = new("backups", BackupRecord.Parser);

    /// <summary>Messages that destroy themselves, by the name of their row: the sweep looks at these alone.</summary>
    public static readonly Table<EventRecord> Timed = new("timed", EventRecord.Parser);

    /// <summary>Groups, by the conversation that the app knows them as.</summary>
    public static readonly Table<GroupRecord> Groups = new("groups", GroupRecord.Parser);

    /// <summary>Groups that the person has asked to join.</summary>
    public static readonly Table<SeenRecord> Asked = new("asked", SeenRecord.Parser);

    public static readonly Table<GroupOutboxRecord> GroupOutbox = new("group-outbox", GroupOutboxRecord.Parser);

    public static readonly Table<SenderKeyRow> SenderKeys = new("sender-keys", SenderKeyRow.Parser);

    /// <summary>The messages of one conversation.</summary>
    public static Table<MessageRecord> Messages(ByteString conversation) =>
        new("messages/" + Hex(conversation), MessageRecord.Parser);

    /// <summary>The row of a content, which its sender and its id name.</summary>
    public static string Key(ByteString sender, ByteString id) => $"{Hex(sender)}/{Hex(id)}";

    public static string Hex(ByteString bytes) => Convert.ToHexStringLower(bytes.Span);
}
