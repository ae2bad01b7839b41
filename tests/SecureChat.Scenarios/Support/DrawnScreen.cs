using System.Text;
using System.Text.RegularExpressions;

namespace SecureChat.Scenarios.Support;

/// <summary>Reads what a program has drawn on a terminal, escape codes and all.</summary>
internal static partial class DrawnScreen
{
    /// <summary>What stands there in the end: rows that were erased or written over do not.</summary>
    public static string TextOf(string drawn)
    {
        var rows = new List<StringBuilder> { new() };
        var (row, column) = (0, 0);
        foreach (Match piece in Piece().Matches(drawn))
        {
            switch (piece.Value)
            {
                case "\r":
                    column = 0;
                    break;
                case "\n":
                    if (++row == rows.Count)
                    {
                        rows.Add(new StringBuilder());
                    }

                    break;
                case [not '\u001b']:
                    rows[row].Append(' ', Math.Max(0, column - rows[row].Length));
                    rows[row].Remove(column, Math.Min(1, rows[row].Length - column)).Insert(column++, piece.Value);
                    break;
                default:
                    (row, var isErased) = Obey(piece, row);
                    rows[row].Length = isErased ? 0 : rows[row].Length;
                    break;
            }
        }

        return string.Join('\n', rows).TrimEnd();
    }

    /// <summary>Everything that was ever drawn, without the codes.</summary>
    public static string WordsOf(string drawn) => Escape().Replace(drawn, "");

    /// <summary>The percentages that it has shown, in their order.</summary>
    public static IEnumerable<int> PercentagesOf(string drawn, string label) =>
        Bar().Matches(WordsOf(drawn)).Where(bar => bar.Groups["label"].Value == label).Select(bar => int.Parse(bar.Groups["percent"].ValueSpan, null));

    // Of the codes, those that a bar is made of; another is a reason to look at it.
    private static (int Row, bool IsErased) Obey(Match code, int row) => code.Groups["code"].Value switch
    {
        "A" => (row - int.Parse(code.Groups["how"].ValueSpan, null), false),
        "K" when code.Groups["how"].Value == "2" => (row, true),
        "m" or "h" or "l" or "=" => (row, false),
        _ => throw new FormatException($"What a terminal does at {code.Value[1..]} is not known here."),
    };

    [GeneratedRegex(@"\u001b(\[(?<how>[?\d;]*))?(?<code>[A-Za-z=])|[\s\S]")]
    private static partial Regex Piece();

    [GeneratedRegex(@"\u001b(\[[?\d;]*)?[A-Za-z=]")]
    private static partial Regex Escape();

    [GeneratedRegex(@"(?<label>\w+) +\S+ +(?<percent>\d+)%")]
    private static partial Regex Bar();
}
