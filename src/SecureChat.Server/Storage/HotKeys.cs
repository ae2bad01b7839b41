namespace SecureChat.Server.Storage;

/// <summary>What every key and every channel in the hot store, and in Redis, begins with.</summary>
/// <remarks>
/// No key is spelled elsewhere: <c>/.well-known/data-held.json</c> is made from this table, and what begins with a name that nothing is said of there
/// stops the build.
/// </remarks>
internal static class HotKeys
{
    public const string Limit = "limit";
    public const string Anomaly = "anomaly";
    public const string AnomalySeen = "anomaly-seen";
    public const string MediaEnded = "media-ended";
    public const string Proof = "proof";
    public const string Signed = "signed";
    public const string Otp = "otp";
    public const string OtpTries = "otp-tries";
    public const string OtpWait = "otp-wait";
    public const string OtpSent = "otp-sent";
    public const string OtpBudget = "otp-budget";
    public const string Link = "link";
    public const string Provisioning = "provisioning";
    public const string ProvisioningMessage = "provisioning-message";
    public const string Room = "room";
    public const string Username = "username";
    public const string Ticket = "ticket";
    public const string Presence = "presence";
    public const string KeysLow = "keys-low";
    public const string KeysOld = "keys-old";
    public const string Node = "node";
    public const string Accounts = "accounts";
    public const string Message = "m";
    public const string Tombstones = "t";
    public const string SharedBody = "b";
    public const string Queue = "q";
    public const string QueueState = "s";
    public const string Queues = "queues";
    public const string Push = "push";
    public const string Anomalies = "anomalies";
}
