using System.Net.WebSockets;
using SecureChat.Client.Accounts;
using SecureChat.Client.Backups;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Signal;

namespace SecureChat.Cli;

/// <summary>How a command ended. Documented in docs/cli.md, which a test holds against this.</summary>
internal enum ExitCode
{
    /// <summary>Done.</summary>
    Done = 0,

    /// <summary>Something that should not happen, or a step of <c>doctor</c>.</summary>
    Failed = 1,

    /// <summary>The command line is wrong.</summary>
    Usage = 2,

    /// <summary>The profile, its passphrase or a file of this machine.</summary>
    Profile = 3,

    /// <summary>The server cannot be reached. What was to be sent is kept.</summary>
    Unreachable = 4,

    /// <summary>The server refused, or what came cannot be trusted.</summary>
    Refused = 5,

    /// <summary>The server does not know this device any more, or it connected elsewhere.</summary>
    SignedOut = 6,

    /// <summary>No such person, message or file.</summary>
    NotFound = 7,

    /// <summary>Safety numbers or link numbers differ.</summary>
    Mismatch = 8,

    /// <summary>The message is kept and was not taken, for instance because an identity changed.</summary>
    NotDelivered = 9,

    /// <summary>Ended by the person.</summary>
    Cancelled = 130,
}

/// <summary>A failure that a person can do something about.</summary>
/// <param name="code">Stable, for programs.</param>
/// <param name="message">What is wrong.</param>
/// <param name="next">What to do now.</param>
#pragma warning disable CA1032 // One without a next step does not exist.
internal sealed class CliException(ExitCode exit, string code, string message, string next) : Exception(message)
#pragma warning restore CA1032
{
    public ExitCode Exit => exit;

    public string Code => code;

    public string Next => next;
}

/// <summary>Turns whatever goes wrong into a sentence, a next step and an exit code.</summary>
internal static class Failure
{
    public static CliException Describe(Exception failure, string profile) => failure switch
    {
        CliException told => told,
        LocalStoreException store => new CliException(ExitCode.Profile, "store", store.Message,
            "Check the passphrase, or whether the keyring is unlocked. If another securechat runs with this profile, end it first, or use its chat command to write."),
        ServerException refused => Refusal(refused, profile),
        SignedOutException => new CliException(ExitCode.SignedOut, "signed_out", "The server does not know this device any more.",
            $"It was removed, or the account registered anew. Delete the profile folder ('securechat profiles' shows it) and register or link again."),
        ConnectedElsewhereException => new CliException(ExitCode.SignedOut, "connected_elsewhere",
            "This device connected a second time elsewhere.", "Use a copy of a profile in one place alone."),
        LinkFailedException link => new CliException(ExitCode.Refused, "link_failed", link.Message, "Run 'securechat link' again on the new device."),
        BackupException backup => new CliException(
            backup.Fault == BackupFault.Gone ? ExitCode.NotFound : ExitCode.Refused,
            $"backup_{backup.Fault.ToString().ToLowerInvariant()}",
            backup.Message,
            backup.Fault switch
            {
                BackupFault.RolledBack => "Do not trust it. If you know why, say the version with --at-least.",
                BackupFault.Gone => "Is it the right key, and was a passphrase used? To begin again: backup to-server --start-anew.",
                BackupFault.WrongKey => "Look for the right recovery key; if there was a passphrase, use --with-passphrase.",
                BackupFault.Superseded => "Run it again.",
                _ => "Take another copy of the backup.",
            }),
        HttpRequestException or WebSocketException or IOException { InnerException: System.Net.Sockets.SocketException } =>
            new CliException(ExitCode.Unreachable, "unreachable", "The server cannot be reached.",
                "Is it running, and is the address right? 'securechat doctor' looks at each step."),
        UnauthorizedAccessException or IOException => new CliException(ExitCode.Profile, "file", failure.Message, "Check the path and its rights."),
        SignalException signal => new CliException(ExitCode.Refused, "untrusted", $"What came cannot be trusted: {signal.Message}",
            "Ask the sender to send it again."),
        FormatException or ArgumentException or InvalidOperationException =>
            new CliException(ExitCode.Usage, "invalid", Without(failure.Message), "See 'securechat --help'."),
        OperationCanceledException => new CliException(ExitCode.Cancelled, "cancelled", "Cancelled.", "Nothing is lost: run it again."),
        _ => new CliException(ExitCode.Failed, "unexpected", $"{failure.GetType().Name}: {failure.Message}", "Please report this."),
    };

    private static CliException Refusal(ServerException refused, string profile) => new(
        ExitCode.Refused, refused.Code, refused.Message, refused.Code switch
        {
            "invite_required" => "Ask the operator for an invite and give it with --invite.",
            "wrong_code" => "Each is good once and for a short time: ask for another.",
            "rate_limited" when refused.RetryAfter is { } wait => $"Wait {Durations.Show(wait)}.",
            "queue_full" => "Too many wait already. Try again when some of them have been answered.",
            "unauthorized" => $"Is '{profile}' the right profile? 'securechat profiles' lists them.",
            "unexpected" => "Is this the address of a secureChat server? 'securechat doctor' looks at it.",
            _ => "docs/protocol/errors.md says what the code means.",
        });

    // Without the ".NET" tail that names the parameter.
    private static string Without(string message) =>
        message.IndexOf(" (Parameter '", StringComparison.Ordinal) is var at and >= 0 ? message[..at] : message;
}
