using System.Globalization;

namespace SecureChat.Mutation;

/// <summary>What became of each mutant: a line each, written at once, so that a run goes on where another ended.</summary>
internal sealed class Results
{
    private readonly string _path;
    private readonly string _begun;
    private readonly Dictionary<int, (string Status, string Line)> _known = [];

    public Results(string path)
    {
        _path = path;
        _begun = path + ".begun";
        foreach (var line in File.Exists(path) ? File.ReadLines(path) : [])
        {
            var cells = line.Split('\t');
            _known[int.Parse(cells[0], CultureInfo.InvariantCulture)] = (cells[1], line);
        }
    }

    public string? this[int mutant] => _known.TryGetValue(mutant, out var known) ? known.Status : null;

    /// <summary>A mutant that was begun and has no result took the process down with it.</summary>
    public int? Unfinished =>
        File.Exists(_begun) && int.TryParse(File.ReadAllText(_begun), CultureInfo.InvariantCulture, out var id) ? id : null;

    /// <summary>The list that is kept: file, line, method, kind, result, what stands there, what stood there instead, reason.</summary>
    public static void WriteSurvivors(string path, IEnumerable<(Mutant Mutant, string Status, string Reason)> survivors) =>
        File.WriteAllLines(path, survivors
            .OrderBy(one => one.Mutant.File, StringComparer.Ordinal).ThenBy(one => one.Mutant.Line).ThenBy(one => one.Mutant.Id)
            .Select(one => string.Join(
                '\t', one.Mutant.File, one.Mutant.Line.ToString(CultureInfo.InvariantCulture), one.Mutant.Member, one.Mutant.Kind,
                one.Status, one.Mutant.Source, one.Mutant.Replacement, one.Reason))
            .Prepend("file\tline\tmethod\tkind\tresult\tsource\tinstead\treason"));

    public void Begin(Mutant mutant) => File.WriteAllText(_begun, mutant.Id.ToString(CultureInfo.InvariantCulture));

    public void Add(Mutant mutant, string status, string test)
    {
        var line = string.Create(CultureInfo.InvariantCulture,
            $"{mutant.Id}\t{status}\t{mutant.File}\t{mutant.Line}\t{mutant.Kind}\t{test}\t{mutant.Replacement}");
        File.AppendAllText(_path, line + "\n");
        _known[mutant.Id] = (status, line);
        File.Delete(_begun);
    }
}
