using System.Text.RegularExpressions;

namespace SecureChat.Protocol.Tests;

/// <summary>Where code and prose point into the prose, there is a heading.</summary>
public sealed partial class AnchorTests
{
    private static readonly string Root = FindRoot();

    [Fact]
    public void Every_chapter_that_code_or_prose_points_to_exists()
    {
        var links = Files("*.cs").SelectMany(LinksOfCode).Concat(Files("*.md").SelectMany(LinksOfProse)).ToList();
        var headings = links.Select(link => link.Target).Distinct().Where(File.Exists).ToDictionary(file => file, HeadingsOf);

        var dead = links
            .Where(link => !headings.TryGetValue(link.Target, out var there) || !there.Contains(link.Anchor))
            .Select(link => $"{Path.GetRelativePath(Root, link.Source)}: {Path.GetRelativePath(Root, link.Target)}#{link.Anchor}");

        Assert.Empty(dead);
        Assert.True(links.Count > 100);
    }

    private static IEnumerable<(string Source, string Target, string Anchor)> LinksOfCode(string file) => CodeLink()
        .Matches(File.ReadAllText(file))
        .Select(match => (file, Path.Combine(Root, match.Groups[1].Value), match.Groups[2].Value));

    private static IEnumerable<(string Source, string Target, string Anchor)> LinksOfProse(string file) => ProseLink()
        .Matches(File.ReadAllText(file))
        .Select(match => (file, match.Groups[1].Length == 0
            ? file
            : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, match.Groups[1].Value)), match.Groups[2].Value));

    private static HashSet<string> HeadingsOf(string file)
    {
        var (headings, isCode) = (new HashSet<string>(StringComparer.Ordinal), false);
        foreach (var line in File.ReadLines(file))
        {
            isCode ^= line.StartsWith("```", StringComparison.Ordinal);
            if (!isCode && line.StartsWith('#'))
            {
                var text = line.TrimStart('#').Trim().ToLowerInvariant().Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_');
                headings.Add(string.Concat(text).Replace(' ', '-'));
            }
        }

        return headings;
    }

    private static IEnumerable<string> Files(string pattern) => ((string[])["src", "tests", "docs", "fuzz", "bench", "samples"])
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories))
        .Concat(Directory.EnumerateFiles(Root, pattern))
        .Where(file => !Path.GetRelativePath(Root, file).Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj" or "node_modules"));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "SecureChat.slnx")))
        {
            folder = folder.Parent;
        }

        return folder.FullName;
    }

    [GeneratedRegex(@"(docs/[\w./-]+\.md)#([\w-]+)")]
    private static partial Regex CodeLink();

    [GeneratedRegex(@"\]\(([^)\s#:]*\.md|)#([\w-]+)\)")]
    private static partial Regex ProseLink();
}
