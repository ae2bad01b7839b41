using System.Globalization;
using System.Text;

namespace SecureChat.Bench.Disclosure;

/// <summary>How well times alone tell who talks to whom, by what devices do about receipts.</summary>
internal static class DisclosureReport
{
    private static readonly int[] Messages = [5, 20, 100, 500];

    public static string Make(ulong seed, int people, int days)
    {
        var page = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"""
            # What times tell under sealed sender

            {people} people who talk for {days} days, seed {seed}; `securechat-bench disclosure --people {people} --days {days} --seed {seed}` repeats it.
            The server knows whom each message is for and when it came, and not whom it is from. For everybody it guesses who writes to them
            most, from their first 5 to 500 messages: whoever most often gets something within 1, 10, 30 or 120 seconds after. The window that
            serves it best is the one reported. What was assumed about people is in `SealedTraffic`.

            Share of people whose most frequent correspondent the server names. Chance would name 1 in {people}.

            | receipts | 5 messages | 20 | 100 | 500 | best window |
            | --- | --- | --- | --- | --- | --- |

            """));
        foreach (var receipts in Enum.GetValues<Receipts>())
        {
            var traffic = new SealedTraffic(seed, people, days, receipts);
            var found = Messages.Select(messages => Attack.Windows
                .Select(window => (Share: Attack.TopOne(traffic, messages, window), Window: window)).MaxBy(one => one.Share)).ToList();
            page.Append(CultureInfo.InvariantCulture, $"| {Name(receipts)} | {string.Join(" | ", found.Select(one => one.Share.ToString("P0", CultureInfo.InvariantCulture)))} | {found[^1].Window} s |\n");
        }

        return page.Append("""

            Sealed sender is not anonymity: people answer each other, and a server that keeps times for long enough learns from that whom they
            talk to, receipts or not. Receipts at once tell it more, and sooner; those that wait are among the noise. This server keeps no
            times of messages; nothing but its operator's word keeps a changed one from doing so.

            """).ToString();
    }

    private static string Name(Receipts receipts) => receipts switch
    {
        Receipts.None => "none",
        Receipts.Delayed => "delayed by 1-30 s, together",
        _ => "at once",
    };
}
