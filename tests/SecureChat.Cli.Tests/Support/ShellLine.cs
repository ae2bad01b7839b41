namespace SecureChat.Cli.Tests.Support;

/// <summary>A command line as a shell reads it, as far as the transcripts use it.</summary>
/// <param name="Words">The program and what it is given.</param>
/// <param name="Input">What <c>echo</c> pipes into it.</param>
/// <param name="ShowsCode">Whether <c>; echo $?</c> shows the exit code.</param>
/// <param name="StaysBehind">Whether <c>&amp;</c> lets it run on while others run; <c>wait</c> waits for it.</param>
internal sealed record ShellLine(IReadOnlyList<string> Words, string? Input, bool ShowsCode, bool StaysBehind)
{
    private const string Code = "; echo $?";
    private const string Behind = " &";

    public bool IsProgram => Words[0] == "securechat";

    public static ShellLine Parse(string line)
    {
        var (showsCode, staysBehind) = (line.EndsWith(Code, StringComparison.Ordinal), line.EndsWith(Behind, StringComparison.Ordinal));
        var rest = showsCode ? line[..^Code.Length] : staysBehind ? line[..^Behind.Length] : line;
        if (!rest.StartsWith("echo ", StringComparison.Ordinal))
        {
            return new ShellLine(Split(rest), null, showsCode, staysBehind);
        }

        var halves = rest.Split(" | ", 2);
        return new ShellLine(Split(halves[1]), Split(halves[0])[1], showsCode, staysBehind);
    }

    private static List<string> Split(string line)
    {
        var words = new List<string>();
        var (word, isQuoted, isOpen) = ("", false, false);
        foreach (var symbol in line)
        {
            if (symbol == '"')
            {
                (isQuoted, isOpen) = (!isQuoted, true);
            }
            else if (symbol == ' ' && !isQuoted)
            {
                if (word.Length > 0 || isOpen)
                {
                    words.Add(word);
                }

                (word, isOpen) = ("", false);
            }
            else
            {
                word += symbol;
            }
        }

        return word.Length > 0 || isOpen ? [.. words, word] : words;
    }
}
