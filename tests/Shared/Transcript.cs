using System.Text;
using System.Text.RegularExpressions;

namespace SecureChat.Tests;

/// <summary>
/// A session at a terminal as people read it, and played again: lines behind <c>$ </c> are run, all others must be what the screen shows.
/// </summary>
/// <remarks>
/// What differs from run to run (accounts, keys, digits, times, ports, folders) is written as one run had it; the same one must stand for the
/// same thing throughout, and commands may use it; of a safety number, each row of four groups, since in one of 1,500 numbers a single group comes twice. What is typed at a prompt stands behind it. A prompt for a passphrase shows nothing.
/// </remarks>
internal sealed partial class Transcript
{
    /// <summary>So much of an id stands for all of it.</summary>
    private const int Prefix = 8;

    private readonly Dictionary<string, string> _actual = [];
    private readonly Dictionary<string, string> _expected = [];

    /// <summary>The commands of a text, each with the lines that follow it.</summary>
    public static IReadOnlyList<(string Command, IReadOnlyList<string> Screen)> Steps(IEnumerable<string> lines)
    {
        var steps = new List<(string, IReadOnlyList<string>)>();
        List<string>? screen = null;
        foreach (var line in lines)
        {
            if (line.StartsWith("$ ", StringComparison.Ordinal))
            {
                screen = [];
                steps.Add((line[2..], screen));
            }
            else if (screen is not null && !line.StartsWith('#'))
            {
                screen.Add(line.TrimEnd());
            }
        }

        return steps;
    }

    /// <summary>The blocks of a document that are sessions: ```console after a line <c>&lt;!-- replayed --&gt;</c>.</summary>
    public static IEnumerable<string> OfMarkdown(string text)
    {
        var (isReplayed, isInside) = (false, false);
        foreach (var line in text.Split('\n'))
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                (isInside, isReplayed) = (!isInside && isReplayed, false);
            }
            else if (line == "<!-- replayed -->")
            {
                isReplayed = true;
            }
            else if (isInside)
            {
                yield return line;
            }
        }
    }

    /// <summary>What somebody typed at a prompt, by the lines that are expected.</summary>
    public string? Typed(string prompt, IReadOnlyList<string> screen) =>
        screen.Select(Real).FirstOrDefault(line => line.StartsWith(prompt, StringComparison.Ordinal) && line.Length > prompt.Length) is { } line
            ? line[prompt.Length..]
            : null;

    /// <summary>Has something that the text names stand for what it is in this run.</summary>
    public void Bind(string written, string real)
    {
        _actual[written] = real;
        _expected[real] = written;
        if (Guid.TryParse(real, out _))
        {
            Bind(written[..Prefix], real[..Prefix]);
        }
    }

    /// <summary>With the things of this run in the place of those that are written.</summary>
    public string Real(string text) => Changing().Replace(text, match => _actual.GetValueOrDefault(match.Value, match.Value));

    /// <summary>Null when the screen is as written, else where it is not.</summary>
    public string? Difference(IReadOnlyList<string> written, string screen)
    {
        var shown = screen.TrimEnd().Split('\n').Select(line => line.TrimEnd()).Where(line => line.Length > 0).ToArray();
        var wanted = written.Where(line => line.Length > 0).ToArray();
        for (var i = 0; i < Math.Max(shown.Length, wanted.Length); i++)
        {
            if (i >= shown.Length || i >= wanted.Length || !IsSame(wanted[i], shown[i]))
            {
                return new StringBuilder()
                    .AppendLine($"written: {(i < wanted.Length ? wanted[i] : "(nothing)")}")
                    .AppendLine($"shown:   {(i < shown.Length ? shown[i] : "(nothing)")}")
                    .Append($"all that was shown:\n{screen}").ToString();
            }
        }

        return null;
    }

    private bool IsSame(string written, string shown)
    {
        var (wanted, found) = (Changing().Matches(written), Changing().Matches(shown));
        if (wanted.Count != found.Count || Changing().Replace(written, "\0") != Changing().Replace(shown, "\0"))
        {
            return false;
        }

        for (var i = 0; i < wanted.Count; i++)
        {
            var (name, real) = (wanted[i].Value, found[i].Value);
            if (wanted[i].Groups["free"].Success)
            {
                continue;
            }

            if (_actual.TryGetValue(name, out var bound) ? bound != real : _expected.ContainsKey(real))
            {
                return false;
            }

            Bind(name, real);
        }

        return true;
    }

    [GeneratedRegex("""
        (?<free>\b\d\d:\d\d\b|\b\d{4}-\d\d-\d\d(?:T[0-9:.]+Z)?|(?<=:)\d{5}(?=/)|/tmp/[A-Za-z0-9/_.-]+|\b[0-9a-f]{48}\b|\b\d+(?=\ (?:bytes|files|KiB)))
        | \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b | \b[0-9a-f]{8}\b(?!-)
        | securechat-link:[A-Za-z0-9_-]+ | securechat://group/\#[A-Za-z0-9_-]{40,} | \b[A-Za-z0-9+/]{43,}={0,2} | \b\d{60}\b | \b\d{5}(?:\ \d{5}){3}\b | \b\d{6}\b | \b\d{3}\ \d{3}\b | \b[A-Z0-9]{5}(?:-[A-Z0-9]{5}){3,10}\b
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Changing();
}
