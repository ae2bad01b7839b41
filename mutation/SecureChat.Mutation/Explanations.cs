using System.Text.RegularExpressions;

namespace SecureChat.Mutation;

/// <summary>Why mutants survive that no test can or need notice: mutation/explained.tsv.</summary>
/// <remarks>A line each: beginning of the file's path, kind, what the source line matches, what the replacement matches, reason, and what
/// the name of the method around it must not match, if there is a sixth cell. A star fits everything.</remarks>
internal sealed class Explanations(string path)
{
    private readonly IReadOnlyList<Rule> _rules =
        [.. File.ReadLines(path).Where(line => line.Length > 0 && line[0] != '#').Select(line => new Rule(line.Split('\t')))];

    /// <summary>Null: it has to be explained, or noticed.</summary>
    public string? Of(Mutant mutant) => _rules.FirstOrDefault(rule => rule.Fits(mutant))?.Reason;

    private sealed class Rule(string[] cells)
    {
        private readonly Regex _source = new(cells[2] is "*" ? "" : cells[2]);
        private readonly Regex _replacement = new(cells[3] is "*" ? "" : cells[3]);

        private readonly Regex? _except = cells.Length > 5 ? new(cells[5]) : null;

        public string Reason => cells[4];

        public bool Fits(Mutant mutant) =>
            (cells[0] is "*" || mutant.File.StartsWith(cells[0], StringComparison.Ordinal))
            && (cells[1] is "*" || mutant.Kind.StartsWith(cells[1], StringComparison.Ordinal))
            && _except?.IsMatch(mutant.Member) is not true
            && _source.IsMatch(mutant.Source)
            && _replacement.IsMatch(mutant.Replacement);
    }
}
