namespace SecureChat.Server.Abuse;

/// <summary>Every detector there is, each with its reason. Rates on simulated traffic: docs/protocol/abuse.md#measured.</summary>
/// <remarks>Where other people share the actor (a network, a range of numbers) work is asked for long before anybody is refused.</remarks>
internal static class Detectors
{
    /// <summary>Every detector below.</summary>
    public static IReadOnlyList<Detector> All => Everything.Value;

    /// <summary>Codes asked for from one network and never entered: pumping, or annoying strangers. An entered code takes more back than it cost.</summary>
    public static readonly Detector UnusedCodes = new("unused-codes", LimitScope.Address, TimeSpan.FromHours(6)) { Slow = 15, Prove = 25, Refuse = 150 };

    /// <summary>The same by range of numbers, from however many networks: who is paid for traffic to a range never enters the codes.</summary>
    public static readonly Detector UnusedCodesOfRange = new("unused-codes-range", LimitScope.Target, TimeSpan.FromHours(12)) { Prove = 15, Refuse = 60 };

    /// <summary>Accounts made from one network. A company that starts in one office works a little for the last of them; an invite takes the place of work.</summary>
    public static readonly Detector SignUps = new("sign-ups", LimitScope.Address, TimeSpan.FromHours(12)) { Prove = 40, Refuse = 1000 };

    /// <summary>Wrong codes, link codes, refresh tokens, forged tokens and refused rights. Never refuses: neighbours behind the address are no part of it.</summary>
    public static readonly Detector FailedAuth = new("failed-auth", LimitScope.Address, TimeSpan.FromMinutes(30)) { Slow = 30, Prove = 60 };

    /// <summary>Keys fetched of many different accounts: mapping who is there. Joining a group of a thousand costs some work.</summary>
    public static readonly Detector KeySweep = new("key-sweep", LimitScope.Account, TimeSpan.FromHours(2)) { Slow = 200, Prove = 400, Refuse = 3000 };

    /// <summary>The same without credentials, as sealed senders do; a phone network shares an address.</summary>
    public static readonly Detector KeySweepOfStrangers =
        new("key-sweep-strangers", LimitScope.Address, TimeSpan.FromHours(2)) { Slow = 600, Prove = 1000, Refuse = 6000, StrangersOnly = true };

    /// <summary>Look-ups that find nobody: guessing usernames. An address or number counts a quarter: few of one's contacts are here.</summary>
    public static readonly Detector NameScan = new("name-scan", LimitScope.Account, TimeSpan.FromHours(6)) { Slow = 25, Prove = 40, Refuse = 80 };

    /// <summary>Sockets that one device opens, again and again. A bad line opens some tens in an hour.</summary>
    public static readonly Detector SocketChurn = new("socket-churn", LimitScope.Device, TimeSpan.FromMinutes(10)) { Slow = 60, Refuse = 240 };

    /// <summary>Different accounts to which one account sends, by name, what is sealed or the first message of a session: spam to strangers. Joining a large group costs some work.</summary>
    public static readonly Detector FanOut = new("fan-out", LimitScope.Account, TimeSpan.FromHours(6)) { Slow = 150, Prove = 300, Refuse = 2000 };

    /// <summary>Uploads, each weighed with the share of all files that nobody fetched lately: filling the disk. Nothing leads from a file to its uploader.</summary>
    public static readonly Detector UnfetchedUploads = new("unfetched-uploads", LimitScope.Account, TimeSpan.FromHours(6)) { Slow = 150, Prove = 250, Refuse = 1000 };

    /// <summary>Rooms joined from one network: disturbing a call, or filling the store. An office that meets on the hour joins some dozens of times.</summary>
    public static readonly Detector RoomJoinStorm = new("room-join-storm", LimitScope.Address, TimeSpan.FromMinutes(30)) { Slow = 200, Prove = 300, Refuse = 2500 };

    private static readonly Lazy<IReadOnlyList<Detector>> Everything = new(() =>
        [.. typeof(Detectors).GetFields().Where(field => field.FieldType == typeof(Detector)).Select(field => (Detector)field.GetValue(null)!)]);
}
