using SecureChat.Server.Hosting;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Health;

/// <summary>What a field is for, in which form it is held, and for how long.</summary>
internal sealed record HeldField(string Purpose, string Form, string Life);

/// <summary>What is said of every field that the server holds. Which fields there are is not said here: see <see cref="DataHeld"/>.</summary>
internal static class HeldWords
{
    public static readonly Dictionary<string, HeldField> Directory = new()
    {
        ["accounts.account"] = new("names the account", "random id", WithAccount),
        ["accounts.identity_key"] = new("given to whoever starts a conversation", "public key", WithAccount),
        ["accounts.identifier_hash"] = new("finds the account when its owner signs up again", "keyed hash of the e-mail address or number", WithAccount),
        ["accounts.device_list"] = new(
            "tells whoever starts a conversation which devices the account itself says it has", "ids of devices and registrations, signed by the account",
            "until the account registers again or is deleted"),
        ["accounts.discoverable"] = new("whether others may find the account by its address or number", "flag, off by default", WithAccount),
        ["accounts.username_hash"] = new("finds the account by its exact username", "hash", WithAccount),
        ["accounts.username_link"] = new("finds the encrypted username behind a link", "random id", WithAccount),
        ["accounts.username_encrypted"] = new("shown to whoever has the link", "ciphertext; the key is in the link", WithAccount),
        ["accounts.lock_salt"] = new("registration lock", "random bytes", WithAccount),
        ["accounts.lock_hash"] = new("registration lock", "slow salted hash", WithAccount),
        ["accounts.lock_failures"] = new("registration lock", "count of wrong tries", WithAccount),
        ["accounts.lock_retry_at"] = new("registration lock", "time of the next try", WithAccount),
        ["accounts.created_day"] = new("limits for new accounts", "date", WithAccount),
        ["accounts.last_seen_day"] = new("ends the registration lock after a week of absence", "date", WithAccount),

        ["device_keys.account"] = new("which account the row belongs to", "random id", WithDevice),
        ["device_keys.device"] = new("which device the row belongs to", "number", WithDevice),
        ["device_keys.signed_id"] = new("names a public key", "number", WithDevice),
        ["device_keys.signed_key"] = new("given to whoever starts a conversation", "public key", WithDevice),
        ["device_keys.signed_signature"] = new("proves a key", "signature", WithDevice),
        ["device_keys.signed_at"] = new("reminds the device to change its key", "time", WithDevice),
        ["device_keys.last_resort_id"] = new("names a public key", "number", WithDevice),
        ["device_keys.last_resort_key"] = new("given to whoever starts a conversation", "public key", WithDevice),
        ["device_keys.last_resort_signature"] = new("proves a key", "signature", WithDevice),
        ["device_keys.last_resort_at"] = new("reminds the device to change its key", "time", WithDevice),

        ["devices.account"] = new("which account the row belongs to", "random id", WithDevice),
        ["devices.device"] = new("names the device within its account", "number", WithDevice),
        ["devices.epoch"] = new("ends tokens with the device", "random number", WithDevice),
        ["devices.registration_id"] = new("lets senders notice a reinstalled device", "random number of 14 bits", WithDevice),
        ["devices.name"] = new("shown to the account's own devices", "ciphertext", WithDevice),
        ["devices.capabilities"] = new("lets old clients be met", "names of features", WithDevice),
        ["devices.created_day"] = new("order of devices", "date", WithDevice),
        ["devices.last_seen_day"] = new("removes linked devices that stay away", "date", WithDevice),

        ["ended_epochs.epoch"] = new("ends tokens of removed devices on every node", "random number; names nobody", "minutes"),
        ["ended_epochs.ended_at"] = new("forgets it again", "time", "minutes"),

        ["invites.invite"] = new("names the invite to its operator", "random name", UntilUsedUp),
        ["invites.code_hash"] = new("checks the code", "hash", UntilUsedUp),
        ["invites.uses"] = new("how many accounts it is good for", "count", UntilUsedUp),
        ["invites.used"] = new("how many it made; not which", "count", UntilUsedUp),
        ["invites.created_at"] = new("shown to the operator", "time", UntilUsedUp),
        ["invites.expires_at"] = new("ends it", "time", UntilUsedUp),

        ["one_time_keys.account"] = new("which account the row belongs to", "random id", UntilHandedOut),
        ["one_time_keys.device"] = new("which device the row belongs to", "number", UntilHandedOut),
        ["one_time_keys.kind"] = new("which kind of key", "number", UntilHandedOut),
        ["one_time_keys.key_id"] = new("names a public key", "number", UntilHandedOut),
        ["one_time_keys.public_key"] = new("given to whoever starts a conversation", "public key", UntilHandedOut),
        ["one_time_keys.signature"] = new("proves a key", "signature", UntilHandedOut),

        ["push_subscriptions.account"] = new("which account the row belongs to", "random id", UntilUnregistered),
        ["push_subscriptions.device"] = new("which device the row belongs to", "number", UntilUnregistered),
        ["push_subscriptions.sealed"] = new("wakes the device", "address at its push service, encrypted under a key outside of the database", UntilUnregistered),

        ["refresh_tokens.account"] = new("which account the row belongs to", "random id", UntilLogout),
        ["refresh_tokens.device"] = new("which device the row belongs to", "number", UntilLogout),
        ["refresh_tokens.family_hash"] = new("finds the token", "hash", UntilLogout),
        ["refresh_tokens.token_hash"] = new("checks the token", "hash", UntilLogout),
        ["refresh_tokens.previous_hash"] = new("notices a stolen token", "hash", UntilLogout),
        ["refresh_tokens.rotated_at"] = new("grace for parallel refreshes", "time", UntilLogout),
        ["refresh_tokens.expires_at"] = new("ends the token", "time", UntilLogout),

        ["reports.report"] = new("a message is reported once", "hash of reporter and message", "30 days"),
        ["reports.account"] = new("who sent what was reported", "random id; absent for sealed messages", "30 days"),
        ["reports.reported_day"] = new("deletes the report", "date", "30 days"),
        ["reports.evidence"] = new("lets the operator judge", "what the reporter chose to reveal", "30 days"),

        ["send_policies.account"] = new("which account the row belongs to", "random id", WithAccount),
        ["send_policies.access_key_hash"] = new("lets sealed messages in", "keyed hash", WithAccount),
        ["send_policies.anyone"] = new("lets sealed messages in", "flag", WithAccount),
        ["send_policies.tokens"] = new("lets sealed messages in", "keyed hashes; which contact has which is not kept", WithAccount),
        ["send_policies.blocked"] = new("keeps senders out", "keyed hashes of account ids", WithAccount),

        ["group_states.id"] = new("finds a group's state", "hash of the group's public key; no account", WithGroup),
        ["group_states.version"] = new("keeps two writers apart", "count", WithGroup),
        ["group_states.state"] = new("what the members share", "ciphertext; the key is the members'", UntilNextVersion),
        ["group_states.admin"] = new("who may change the group", "hash of a public key that its admins share; names nobody", WithGroup),
        ["group_states.link"] = new("lets those ask who have the invite link", "hash of the link's public key", WithGroup),
        ["group_states.preview"] = new("what the link shows", "ciphertext; the key is in the link", UntilNextVersion),
        ["group_states.used_day"] = new("deletes what is idle", "day", WithGroup),

        ["join_requests.id"] = new("names the request", "random id", UntilAnswered),
        ["join_requests.group_id"] = new("finds the group's requests", "hash of the group's public key", UntilAnswered),
        ["join_requests.request"] = new("who asks to join", "ciphertext; the key is the members'", UntilAnswered),
        ["join_requests.asked_day"] = new("deletes what is old", "day", UntilAnswered),

        ["media.blob"] = new("finds an encrypted file", "hash of the random id that downloads it", UntilDeadline),
        ["media.length"] = new(
            "reserves room; tells a resumed upload where it is", "size of the padded ciphertext; 0 once it is gone",
            "two hours at most, or until the last download"),
        ["media.state"] = new("whether it is uploaded, or gone", "number", UntilDeadline),
        ["media.downloads"] = new("how often it may be downloaded", "count", UntilDeadline),
        ["media.claimed"] = new("how often it was downloaded", "count", UntilDeadline),
        ["media.life_minutes"] = new("the life that its uploader chose", "count", UntilDeadline),
        ["media.created_at"] = new("no file lives longer than two hours", "time", UntilDeadline),
        ["media.expires_at"] = new("ends it", "time", UntilDeadline),
        ["media.charged_to"] = new(
            "gives back what was reserved and did not come; bounds unfinished uploads", "keyed hash of account and day",
            "until the upload is complete, two hours at most"),

        ["media_claims.claim"] = new("goes on with a download that was cut", "hash of a random token", WithConnection),
        ["media_claims.blob"] = new("which file", "hash", WithConnection),
        ["media_claims.sent"] = new("bounds what one download may send", "count", WithConnection),
        ["media_claims.ends_at"] = new("ends it", "time", WithConnection),

        ["media_quotas.counter"] = new("bytes per account and day", "keyed hash of account and day", "until the end of the next day"),
        ["media_quotas.day"] = new("removes the counter", "date", "until the end of the next day"),
        ["media_quotas.bytes"] = new("bytes per account and day", "count", "until the end of the next day"),

        ["backups.id"] = new("finds the backup", "hash of the backup's public key; no account", WithBackup),
        ["backups.version"] = new("keeps two writers apart, and shows a rollback", "count", WithBackup),
        ["backups.upload"] = new("finds the chunks", "random id", UntilNextVersion),
        ["backups.chunks"] = new("how many to get", "count", UntilNextVersion),
        ["backups.manifest"] = new("restores the backup", "ciphertext; the key is the owner's", UntilNextVersion),
        ["backups.used_day"] = new("deletes what is idle", "day", WithBackup),

        ["backup_chunks.blob"] = new("names the file with the ciphertext", "random id", UntilNextBackup),
        ["backup_chunks.backup"] = new("finds the backup's chunks", "hash of the backup's public key", UntilNextBackup),
        ["backup_chunks.upload"] = new("keeps uploads apart", "random id", UntilNextBackup),
        ["backup_chunks.number"] = new("order", "count", UntilNextBackup),
        ["backup_chunks.bytes"] = new("quota", "size", UntilNextBackup),
        ["backup_chunks.is_stored"] = new("whether the file is whole", "flag", UntilNextBackup),
        ["backup_chunks.stored_day"] = new("deletes what was not finished", "day", UntilNextBackup),
    };

    public static readonly Dictionary<string, HeldField> Queues = new()
    {
        ["envelope.position"] = new("order within a queue", "number", UntilAcknowledged),
        ["envelope.known"] = new("stores a repeated send once", "hash; outlives the acknowledgement until the deadline", UntilAcknowledged),
        ["envelope.account"] = new("whose queue it is", "random id", UntilAcknowledged),
        ["envelope.device"] = new("whose queue it is", "number", UntilAcknowledged),
        ["envelope.deadline"] = new("ends the message", "time", UntilAcknowledged),
        ["envelope.shared"] = new("finds the end of a message that many get", "number", UntilAcknowledged),

        ["shared_body.id"] = new("names the end of a message that many get", "number", UntilLastAcknowledged),
        ["shared_body.body"] = new("the end of a message that many get, which is the same for all", "ciphertext", UntilLastAcknowledged),

        ["envelope.body"] = new("the message", "ciphertext with message id, sender unless sealed, the sender's time, the server's time to the minute", UntilAcknowledged),

        ["clock.id"] = new("keeps lives from growing when the clock is set back", "1", "always; names nobody"),
        ["clock.at"] = new("keeps lives from growing when the clock is set back", "time", "always; names nobody"),

        ["wake_up.device"] = new("whom to wake", "account and device", UntilWoken),
        ["wake_up.due"] = new("when to wake", "time", UntilWoken),
        ["wake_up.quiet"] = new("pause between two pushes", "time", UntilWoken),
        ["wake_up.lease"] = new("one node pushes", "time", UntilWoken),
        ["wake_up.tries"] = new("gives up", "count", UntilWoken),
    };

    public static readonly Dictionary<string, HeldField> Blobs = new()
    {
        [BlobAreas.Media] = new(
            "an encrypted file on its way", "ciphertext, padded; the key is in the message that speaks of it", "two hours at most, or until the last download"),
        [BlobAreas.Backups] = new("a part of an encrypted backup", "ciphertext; the key is the owner's", UntilNextBackup),
    };

    public static readonly Dictionary<string, HeldField> HotStore = new()
    {
        [HotKeys.Limit] = new("rate limits", "token count under a keyed hash that changes every hour", "until the bucket is full again"),
        [HotKeys.Anomaly] = new(
            "finds abuse", "decaying count per detector, under a keyed hash of network, account, device or range of numbers that changes every day",
            "until it is worth a hundredth: some half-lives of 10 minutes to 12 hours"),
        [HotKeys.AnomalySeen] = new(
            "counts each target of an actor once",
            "HyperLogLog sketch of keyed hashes that change every day and with the actor; whoever has the server's key can test a guess against it on that day",
            "a day"),
        [HotKeys.MediaEnded] = new(
            "notices when much is uploaded that nobody fetches",
            "two decaying counts for the whole server: files that ended, and files that ended without a download", "until they are worth a hundredth: some hours"),
        [HotKeys.Proof] = new("a proof of work is good once", "mark under part of a signature", "5 minutes"),
        [HotKeys.Signed] = new("a signed change is made once", "mark under a hash of key and signature", "10 minutes"),
        [HotKeys.Otp] = new("a sign-up under way", "keyed hashes of code and identifier; the first digits of a number, at most seven", "10 minutes"),
        [HotKeys.OtpTries] = new("bounds guesses", "count under a random id", "11 minutes"),
        [HotKeys.OtpWait] = new("back-off between codes", "mark under a keyed hash that changes every hour", "the pause"),
        [HotKeys.OtpSent] = new("bounds codes to one identifier", "count under a keyed hash that changes every hour", "a day"),
        [HotKeys.OtpBudget] = new(
            "bounds the cost of codes, in all and by range of numbers", "token count, under a keyed hash of a number's first digits that changes every hour",
            "until the budget is full again, a day at most"),
        [HotKeys.Link] = new("linking a device", "account id and epoch, encrypted under a key that follows from the code, under a hash of the code", "10 minutes"),
        [HotKeys.Provisioning] = new("linking a device", "node that waits, under a hash", "90 seconds"),
        [HotKeys.ProvisioningMessage] = new("linking a device", "ciphertext", "seconds"),
        [HotKeys.Room] = new(
            "who is in a group call", "random number of a peer and of its node, under a hash of a secret that the server forgets; no account, no address",
            "45 seconds, renewed while the peer is there"),
        [HotKeys.Username] = new("a reserved username", "hashes", "5 minutes"),
        [HotKeys.Ticket] = new(
            "opens one socket", "account id, device and epoch, encrypted under a key that follows from the ticket, under a hash of the ticket",
            "30 seconds, used once"),
        [HotKeys.Presence] = new("finds a device's connection", "node and number under a hash", "60 seconds, renewed"),
        [HotKeys.KeysLow] = new("reminds a device of its stock once in a while", "mark under a hash", "an hour"),
        [HotKeys.KeysOld] = new("reminds a device of its signed prekey once in a while", "mark under a hash", "20 hours"),
        [HotKeys.Node] = new("notices between nodes", "numbers, and ephemeral ciphertext; nothing is stored", "none"),
        [HotKeys.Accounts] = new("notices between nodes", "account ids; nothing is stored", "none"),
        [HotKeys.Message] = new("one waiting envelope", "as envelope.body in queue.db", "until it is acknowledged; the message's deadline"),
        [HotKeys.Tombstones] = new(
            "keeps a repeated send known that was acknowledged before", "hashes of sender and message id, and their deadlines, under a hash of the account",
            "a minute beyond the last deadline; until the account is deleted"),
        [HotKeys.SharedBody] = new(
            "the end of a message that many get, and how many of them still need it", "ciphertext and a number under a random name",
            UntilLastAcknowledged),
        [HotKeys.Queue] = new("order of one device's messages", "numbers under a hash", "a minute beyond the last of them"),
        [HotKeys.QueueState] = new("bytes waiting", "numbers under a hash", "two minutes beyond the last of them"),
        [HotKeys.Queues] = new("which queues are not empty", "hashes", "as long as one is not"),
        [HotKeys.Push] = new("devices to be woken", "account and device, times", UntilWoken),
        [HotKeys.Anomalies] = new("notices between nodes", "keyed hash of an actor, level; nothing is stored", "none"),
    };

    public static readonly Dictionary<string, HeldField> Logs = new()
    {
        ["Attempt"] = Logged("count"),
        ["Directory"] = Logged("name of a store"),
        ["Error"] = Logged("name of an exception type"),
        ["Failure"] = Logged("name of an exception type"),
        ["Hot"] = Logged("name of a store"),
        ["Kind"] = Logged("kind of push service"),
        ["Queues"] = Logged("name of a store"),
        ["Reason"] = Logged("name of an error"),
        ["Removed"] = Logged("count"),
        ["Seconds"] = Logged("duration"),
        ["Setting"] = Logged("name of a setting"),
        ["Status"] = Logged("HTTP status of a push service"),
        ["Store"] = Logged("name of a store"),
        ["Sweep"] = Logged("name of a sweep"),
    };

    public static readonly Dictionary<string, HeldField> Metrics = new()
    {
        [MetricLabels.Action] = Counted("what became of a request"),
        [MetricLabels.Detector] = Counted("name of a detector"),
        [MetricLabels.Grade] = Counted("grade of a detector"),
        [MetricLabels.Result] = Counted("outcome of a push"),
        [MetricLabels.Service] = Counted("kind of push service"),
        [MetricLabels.Sweep] = Counted("name of a sweep"),
        [FrameworkLabels.AspnetcoreRequestIsUnhandled] = CountedByFramework("whether no route was found"),
        [FrameworkLabels.CpuMode] = CountedByFramework("user or system"),
        [FrameworkLabels.ErrorType] = CountedByFramework("type of a failure"),
        [FrameworkLabels.GcHeapGeneration] = CountedByFramework("generation of the garbage collector"),
        [FrameworkLabels.HttpRequestMethod] = CountedByFramework("one of the known methods"),
        [FrameworkLabels.HttpResponseStatusCode] = CountedByFramework("status"),
        [FrameworkLabels.HttpRoute] = CountedByFramework("template of a route, without its values"),
        [FrameworkLabels.Le] = CountedByFramework("bound of a histogram"),
        [FrameworkLabels.NetworkProtocolName] = CountedByFramework("name of a protocol"),
        [FrameworkLabels.NetworkProtocolVersion] = CountedByFramework("version of HTTP"),
        [FrameworkLabels.OtelScopeName] = CountedByFramework("name of a meter"),
        [FrameworkLabels.ServiceInstanceId] = CountedByFramework("random id of the process"),
        [FrameworkLabels.ServiceName] = CountedByFramework("name of this program"),
        [FrameworkLabels.ServiceVersion] = CountedByFramework("version of this program"),
        [FrameworkLabels.TelemetrySdkLanguage] = CountedByFramework("name of a language"),
        [FrameworkLabels.TelemetrySdkName] = CountedByFramework("name of a library"),
        [FrameworkLabels.TelemetrySdkVersion] = CountedByFramework("version of a library"),
        [FrameworkLabels.UrlScheme] = CountedByFramework("http or https"),
    };

    private static HeldField Logged(string form) => new("what happened", form, "as the operator keeps standard output");

    private static HeldField Counted(string form) => new("counts for the operator", form, "as the operator keeps metrics");

    private static HeldField CountedByFramework(string form) => Counted(form) with { Purpose = "counts for the operator, by the framework" };

    private const string WithAccount = "until the account is deleted";
    private const string WithDevice = "until the device is removed";
    private const string UntilNextBackup = "until the next version; an unfinished upload two days at most";
    private const string UntilLogout = "until logout, the device's removal or expiry";
    private const string UntilDeadline = "until an hour after its deadline, three hours at most";
    private const string UntilAcknowledged = "until acknowledged; the message's deadline, two hours at most";
    private const string UntilUsedUp = "until used up, revoked or expired";
    private const string UntilHandedOut = "until handed out once";
    private const string UntilWoken = "until woken, 10 tries at most; the pause";
    private const string WithGroup = "until the group is deleted, moves to a new key, or 90 days after it was last used";
    private const string UntilLastAcknowledged = "until the last of its recipients has acknowledged; the message's deadline, two hours at most";
    private const string UntilNextVersion = "until the next version";
    private const string UntilAnswered = "until a member answers, 7 days at most";
    private const string WithConnection = "two minutes after the connection ended";
    private const string UntilUnregistered = "until the device unregisters, is removed, or its push service disowns the token";
    private const string WithBackup = "until the backup is deleted, or 180 days after it was last used";
}
