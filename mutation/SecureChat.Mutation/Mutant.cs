using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace SecureChat.Mutation;

/// <summary>One change that Stryker compiled into the library, switched on by its number.</summary>
/// <param name="Member">The method around it, by the nearest declaration above.</param>
/// <param name="Source">The line, with the next if what is changed goes on there.</param>
internal sealed record Mutant(int Id, string File, int Line, string Member, string Kind, string Replacement, string Source)
{
    private static readonly Regex Declaration = new(
        @"^\s+(?:(?:public|private|internal|protected|static|readonly|override|virtual|async|unsafe)\s+)+[^=;(]*?\b(\w+)(?:<[^>(]*>)?\s*\(");

    /// <summary>Reads those that compile, in the order of <paramref name="first"/> and then of files and lines.</summary>
    /// <param name="report">Stryker's report in the mutation testing elements schema.</param>
    /// <param name="first">Beginnings of paths below the library's folder; a file is ranked by the first that fits.</param>
    public static IReadOnlyList<Mutant> Read(string report, IReadOnlyList<string> first)
    {
        using var json = JsonDocument.Parse(System.IO.File.ReadAllText(report));
        var mutants = new List<Mutant>();
        foreach (var file in json.RootElement.GetProperty("files").EnumerateObject())
        {
            var path = file.Name.Replace('\\', '/');
            path = path[(path.LastIndexOf("SecureChat.Signal/", StringComparison.Ordinal) + "SecureChat.Signal/".Length)..];
            var lines = file.Value.GetProperty("source").GetString()!.Split('\n');
            mutants.AddRange(file.Value.GetProperty("mutants").EnumerateArray()
                .Where(mutant => mutant.GetProperty("status").GetString() is not ("CompileError" or "Ignored"))
                .Select(mutant => new Mutant(
                    int.Parse(mutant.GetProperty("id").GetString()!, CultureInfo.InvariantCulture),
                    path,
                    mutant.GetProperty("location").GetProperty("start").GetProperty("line").GetInt32(),
                    MemberOf(lines, mutant.GetProperty("location").GetProperty("start").GetProperty("line").GetInt32()),
                    mutant.GetProperty("mutatorName").GetString()!,
                    OneLine(mutant.GetProperty("replacement").GetString()!),
                    SourceOf(lines, mutant.GetProperty("location")))));
        }

        return [.. mutants.OrderBy(mutant => Rank(mutant.File, first)).ThenBy(mutant => mutant.File, StringComparer.Ordinal)
            .ThenBy(mutant => mutant.Line).ThenBy(mutant => mutant.Id)];
    }

    private static string MemberOf(string[] lines, int line) => lines.Take(line).Reverse()
        .Select(text => Declaration.Match(text))
        .FirstOrDefault(match => match.Success)?.Groups[1].Value ?? "";

    private static string SourceOf(string[] lines, JsonElement location)
    {
        var (first, last) = (location.GetProperty("start").GetProperty("line").GetInt32(), location.GetProperty("end").GetProperty("line").GetInt32());
        return OneLine(string.Join(' ', lines[(first - 1)..Math.Min(last, first + 1)]));
    }

    private static int Rank(string path, IReadOnlyList<string> first)
    {
        for (var i = 0; i < first.Count; i++)
        {
            if (path.StartsWith(first[i], StringComparison.Ordinal))
            {
                return i;
            }
        }

        return first.Count;
    }

    private static string OneLine(string text)
    {
        var line = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return line.Length <= 160 ? line : line[..160] + "…";
    }
}
