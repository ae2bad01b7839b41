using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Abuse;

/// <summary>Every rate limit there is, each with its reason. Not to be confused with the protocol's sizes in <c>Limits</c>.</summary>
internal static class RateLimits
{
    /// <summary>Every limit below.</summary>
    public static IReadOnlyList<RateLimit> All => Everything.Value;

    /// <summary>A code costs money or annoys a stranger; a household shares an address.</summary>
    public static readonly RateLimit RequestOtp = new("otp", LimitScope.Address, new(10, TimeSpan.FromMinutes(1)), WithoutStore.Refuse);

    /// <summary>Guesses are bounded per challenge already; this bounds the work.</summary>
    public static readonly RateLimit Register = new("register", LimitScope.Address, new(20, TimeSpan.FromSeconds(30)), WithoutStore.Refuse);

    /// <summary>A device refreshes six times an hour; many devices may share an address.</summary>
    public static readonly RateLimit Refresh = new("refresh", LimitScope.Address, new(300, TimeSpan.FromMilliseconds(200)), WithoutStore.Admit);

    /// <summary>Link codes are 160 bits; this bounds the work.</summary>
    public static readonly RateLimit LinkDevice = new("link", LimitScope.Address, new(10, TimeSpan.FromSeconds(30)), WithoutStore.Refuse);

    /// <summary>Public and cacheable.</summary>
    public static readonly RateLimit PublicRead = new("public-read", LimitScope.Address, new(120, TimeSpan.FromMilliseconds(500)), WithoutStore.Admit);

    /// <summary>Reading and changing one's own account: people do it by hand.</summary>
    public static readonly RateLimit OwnAccount = new("own-account", LimitScope.Account, new(60, TimeSpan.FromSeconds(1)), WithoutStore.Admit);

    /// <summary>One linking takes one code and one provisioning message.</summary>
    public static readonly RateLimit Provision = new("provision", LimitScope.Account, new(10, TimeSpan.FromSeconds(30)), WithoutStore.Refuse);

    /// <summary>Sets a slow hash: each costs the server about 50 ms.</summary>
    public static readonly RateLimit SetRegistrationLock = new("set-lock", LimitScope.Account, new(5, TimeSpan.FromMinutes(1)), WithoutStore.Refuse);

    /// <summary>Reserving many names is squatting.</summary>
    public static readonly RateLimit ReserveUsername = new("reserve-username", LimitScope.Account, new(20, TimeSpan.FromMinutes(5)), WithoutStore.Refuse);

    /// <summary>A daily quota against enumerating users: 100 a day, regained steadily.</summary>
    public static readonly RateLimit LookUp = new("look-up", LimitScope.Account, new(100, TimeSpan.FromMinutes(14.4)), WithoutStore.Refuse);

    /// <summary>Up to a hundred signatures are checked; a device refills once a day and after being drained.</summary>
    public static readonly RateLimit PublishKeys = new("publish-keys", LimitScope.Device, new(10, TimeSpan.FromMinutes(2)), WithoutStore.Admit);

    /// <summary>One fetch per new conversation and device change; a large group is joined in one go. Strangers by network.</summary>
    public static readonly RateLimit FetchKeys = new("fetch-keys", LimitScope.Account, new(120, TimeSpan.FromSeconds(2)), WithoutStore.Refuse);

    /// <summary>One-time keys given away per device, to all requesters together: no number of parties drains more than 40 of 100.</summary>
    public static readonly RateLimit OneTimeKeysOfDevice = new("one-time-keys", LimitScope.Target, new(40, TimeSpan.FromMinutes(6)), WithoutStore.Refuse);

    /// <summary>One requester needs one bundle per session with a device, and a few more when things go wrong.</summary>
    public static readonly RateLimit OneTimeKeysOfPair = new("one-time-keys-pair", LimitScope.Target, new(4, TimeSpan.FromMinutes(30)), WithoutStore.Refuse);

    /// <summary>Reads every table about the caller.</summary>
    public static readonly RateLimit ExportAccount = new("export", LimitScope.Account, new(5, TimeSpan.FromMinutes(10)), WithoutStore.Refuse);

    /// <summary>Devices reconnect when a network changes; a household or an office shares an address.</summary>
    public static readonly RateLimit OpenSocket = new("socket", LimitScope.Address, new(300, TimeSpan.FromMilliseconds(200)), WithoutStore.Admit);

    /// <summary>Sockets of a device that opened very many: see the detector <c>socket-churn</c>.</summary>
    public static readonly RateLimit OpenSocketAfterChurn = new("socket-churn", LimitScope.Device, new(2, TimeSpan.FromSeconds(15)), WithoutStore.Admit);

    /// <summary>Charged per recipient account. Busy people in groups send bursts; nobody types five messages a second for hours.</summary>
    public static readonly RateLimit SendMessages = new("send", LimitScope.Account, new(1500, TimeSpan.FromMilliseconds(200)), WithoutStore.Admit, Limits.MaxRecipients);

    /// <summary>Bounds the parsing; <c>send</c> bounds what is sent.</summary>
    public static readonly RateLimit PostMessages = new("post", LimitScope.Device, new(600, TimeSpan.FromMilliseconds(100)), WithoutStore.Admit);

    /// <summary>Sealed messages, charged per recipient account: a household or a phone network shares an address.</summary>
    public static readonly RateLimit SendSealed = new("send-sealed", LimitScope.Address, new(3000, TimeSpan.FromMilliseconds(50)), WithoutStore.Admit, Limits.MaxSealedRecipients);

    /// <summary>Bounds the parsing; <c>send-sealed</c> bounds what is sent.</summary>
    public static readonly RateLimit PostSealed = new("post-sealed", LimitScope.Address, new(1200, TimeSpan.FromMilliseconds(50)), WithoutStore.Admit);

    /// <summary>What may come in under one right, so that no holder of one fills the queue for all others.</summary>
    public static readonly RateLimit OneRight = new("one-right", LimitScope.Target, new(400, TimeSpan.FromSeconds(1)), WithoutStore.Admit);

    /// <summary>People report by hand.</summary>
    public static readonly RateLimit Report = new("report", LimitScope.Account, new(20, TimeSpan.FromMinutes(1)), WithoutStore.Refuse);

    /// <summary>Acknowledgements, pings and whatever else a device says on its socket; messages have <c>send</c>. Taken in blocks of 256.</summary>
    public static readonly RateLimit SocketFrames = new("frames", LimitScope.Device, new(20_000, TimeSpan.FromMilliseconds(2)), WithoutStore.Admit, 256);

    /// <summary>An app registers when it starts and when its token changes.</summary>
    public static readonly RateLimit RegisterPush = new("register-push", LimitScope.Device, new(20, TimeSpan.FromMinutes(1)), WithoutStore.Admit);

    /// <summary>States of groups and backups; a phone network shares an address.</summary>
    public static readonly RateLimit SignedReads = new("signed-reads", LimitScope.Address, new(1200, TimeSpan.FromMilliseconds(50)), WithoutStore.Admit);

    /// <summary>Changes of groups and backups, before their signature is looked at.</summary>
    public static readonly RateLimit SignedChanges = new("signed-changes", LimitScope.Address, new(600, TimeSpan.FromMilliseconds(200)), WithoutStore.Refuse);

    /// <summary>KiB stored without an account: 256 MiB a day for whoever shares a network, so that nobody fills the disk.</summary>
    public static readonly RateLimit BytesOfStrangers =
        new("strangers-kib", LimitScope.Target, new(262_144, TimeSpan.FromMilliseconds(329)), WithoutStore.Refuse, Least: 1024);

    /// <summary>Changes under one group's or backup's key. A big backup comes as some hundred chunks, once a day.</summary>
    public static readonly RateLimit ChangesUnderOneKey = new("one-key", LimitScope.Target, new(300, TimeSpan.FromSeconds(5)), WithoutStore.Admit);

    /// <summary>One per file: an album at once, and then nobody shows ten new files a minute for hours. Bytes per day are counted besides.</summary>
    public static readonly RateLimit CreateMedia = new("media-create", LimitScope.Account, new(100, TimeSpan.FromSeconds(6)), WithoutStore.Refuse);

    /// <summary>The call page's files, in Development only: nobody has an account there, so a network stands for it.</summary>
    public static readonly RateLimit CallDemoMedia = new("call-demo-media", LimitScope.Address, new(30, TimeSpan.FromSeconds(20)), WithoutStore.Refuse);

    /// <summary>Parts of uploads; keys are 192 bits, so this bounds the work. A phone in a train comes back often, and shares its address.</summary>
    public static readonly RateLimit UploadMedia = new("media-upload", LimitScope.Address, new(1200, TimeSpan.FromMilliseconds(50)), WithoutStore.Admit);

    /// <summary>Ids are 192 bits, so this bounds the work; how often a file is sent, it bounds itself. A household shares an address.</summary>
    public static readonly RateLimit DownloadMedia = new("media-download", LimitScope.Address, new(1200, TimeSpan.FromMilliseconds(50)), WithoutStore.Admit);

    /// <summary>A long poll comes back at once when mail came.</summary>
    public static readonly RateLimit ReceiveMessages = new("receive", LimitScope.Device, new(240, TimeSpan.FromMilliseconds(250)), WithoutStore.Admit);

    /// <summary>Calls are joined by hand, and again when a line breaks; a household or an office shares an address.</summary>
    public static readonly RateLimit JoinRoom = new("room-join", LimitScope.Address, new(120, TimeSpan.FromSeconds(1)), WithoutStore.Admit);

    /// <summary>Charged per receiving peer, per socket: a newcomer greets seven peers with some 20 signals each, a change of network does so again. In blocks of 32.</summary>
    public static readonly RateLimit RoomSignals = new("room-signals", LimitScope.Target, new(1000, TimeSpan.FromMilliseconds(25)), WithoutStore.Admit, 32);

    /// <summary>Farewells, pings and what is no frame, of one socket: four pings a minute are due. In blocks of 8.</summary>
    public static readonly RateLimit RoomFrames = new("room-frames", LimitScope.Target, new(120, TimeSpan.FromSeconds(1)), WithoutStore.Admit, 8);

    /// <summary>One per call and region change. Each credential is a right to bandwidth: nobody begins more than two calls a minute for hours.</summary>
    public static readonly RateLimit CallRelays = new("call-relays", LimitScope.Account, new(20, TimeSpan.FromSeconds(30)), WithoutStore.Refuse);

    /// <summary>The same, so that many accounts of one network do not farm what one may not; an office shares an address.</summary>
    public static readonly RateLimit CallRelaysOfNetwork = new("call-relays-network", LimitScope.Address, new(100, TimeSpan.FromSeconds(3)), WithoutStore.Refuse);

    private static readonly Lazy<IReadOnlyList<RateLimit>> Everything = new(() =>
        [.. typeof(RateLimits).GetFields().Where(field => field.FieldType == typeof(RateLimit)).Select(field => (RateLimit)field.GetValue(null)!)]);
}

/// <summary>A named token bucket and whose it is.</summary>
/// <param name="Name">In the RateLimit headers and the hot store's keys.</param>
/// <param name="WithoutStore">What happens while the hot store does not answer.</param>
/// <param name="Least">What one request may take: a smaller bucket would never grant it.</param>
internal sealed record RateLimit(string Name, LimitScope Scope, TokenBucket Bucket, WithoutStore WithoutStore, int Least = 1);

/// <summary>Whether a limit that cannot be looked up lets through.</summary>
internal enum WithoutStore
{
    /// <summary>People keep talking; what is behind bounds itself.</summary>
    Admit,

    /// <summary>Behind it is money, a secret to guess, or a list to walk: better nobody for a moment.</summary>
    Refuse,
}

/// <summary>What shares one bucket.</summary>
internal enum LimitScope
{
    /// <summary>The client's IPv4 /24 or IPv6 /64, from the connection or a listed proxy.</summary>
    Address,

    /// <summary>All devices of the calling account.</summary>
    Account,

    /// <summary>The calling device.</summary>
    Device,

    /// <summary>Whom the call is about; taken by the slice itself, not in front of an endpoint.</summary>
    Target,
}
