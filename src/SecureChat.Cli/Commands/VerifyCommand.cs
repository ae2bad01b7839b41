using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Signal.Fingerprints;

namespace SecureChat.Cli.Commands;

/// <summary><c>verify</c>: the safety number, compared face to face or over a call.</summary>
internal static class VerifyCommand
{
    private const int Digits = 60;
    private const int GroupSize = 5;
    private const int GroupsInLine = 4;

    public static Command Create(Cli cli)
    {
        var who = Arguments.Who();
        var number = new Option<string?>("--number") { Description = "The 60 digits that the other side shows; spaces do not matter." };
        var scanned = new Option<string?>("--scanned") { Description = "What the other side's QR picture holds, in base64 ('verify --json' prints it as 'scan')." };
        var matches = new Option<bool>("--matches") { Description = "You have compared the number yourself, and it is the same." };
        var undo = new Option<bool>("--undo") { Description = "Takes a verification back." };
        var qr = new Option<bool>("--qr") { Description = "Shows the number as a QR picture too." };
        var command = new Command("verify", "Shows the safety number that you share with somebody. It is the same on both sides exactly when nobody is in between.")
        {
            who, number, scanned, matches, undo, qr,
        };
        return cli.Does(command, async (shell, parsed, ct) =>
        {
            await using var session = await Session.OpenAsync(shell, ct);
            var account = session.Who(parsed.GetRequiredValue(who));
            var fingerprint = await session.Client.SafetyNumberAsync(account, ct)
                ?? throw new CliException(ExitCode.NotFound, "no_identity", $"The identity of {session.NameOf(account)} is not known yet.", "Exchange a message first.");
            var compared = Compare(fingerprint, parsed.GetValue(number), parsed.GetValue(scanned));
            if (compared is false)
            {
                await session.Client.SetVerifiedAsync(account, verified: false, ct);
                throw new CliException(
                    ExitCode.Mismatch, "mismatch", $"The safety numbers DIFFER: somebody may be between you and {session.NameOf(account)}.",
                    "Do not trust this conversation. Compare once more, face to face, and tell each other by another way.");
            }

            if (compared is true || parsed.GetValue(matches) || parsed.GetValue(undo))
            {
                await session.Client.SetVerifiedAsync(account, !parsed.GetValue(undo), ct);
            }

            await ShowAsync(shell, session, account, fingerprint, parsed.GetValue(qr), ct);
        },
        "securechat verify alice",
        "securechat verify alice --number \"37345 35585 ...\"",
        "securechat verify alice --matches");
    }

    private static bool? Compare(Fingerprint fingerprint, string? number, string? scanned)
    {
        if (number is not null)
        {
            var typed = string.Concat(number.Where(char.IsAsciiDigit));
            return typed.Length == Digits
                ? CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(typed), Encoding.ASCII.GetBytes(fingerprint.Display))
                : throw new CliException(ExitCode.Usage, "invalid", $"A safety number has {Digits} digits; these are {typed.Length}.", "Copy all of it.");
        }

        return scanned is null ? null : fingerprint.Compare(Convert.FromBase64String(scanned)) switch
        {
            FingerprintComparison.Match => true,
            FingerprintComparison.Mismatch => false,
            _ => throw new CliException(ExitCode.Usage, "version", "The other side makes safety numbers of another version.", "Update the older program of the two."),
        };
    }

    private static async Task ShowAsync(Shell shell, Session session, Guid account, Fingerprint fingerprint, bool qr, CancellationToken ct)
    {
        var verified = await session.Client.IsVerifiedAsync(account, ct);
        var groups = fingerprint.Display.Chunk(GroupSize).Select(group => new string(group));
        var lines = groups.Chunk(GroupsInLine).Select(line => "  " + string.Join(' ', line));
        shell.Output.Write(
            LineType.SafetyNumber,
            $"Safety number with {session.NameOf(account)}:\n{string.Join('\n', lines)}\n{(verified ? "Verified." : "Not verified. Compare it with what they see; then: securechat verify WHO --matches")}",
            ("account", account.ToString()), ("number", fingerprint.Display), ("scan", Convert.ToBase64String(fingerprint.Scannable())), ("verified", verified));
        if (qr)
        {
            shell.Output.Say(QrPicture.Of(fingerprint.Scannable()));
        }
    }
}
