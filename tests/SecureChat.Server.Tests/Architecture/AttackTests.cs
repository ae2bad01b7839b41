using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace SecureChat.Server.Tests.Architecture;

/// <summary>The table of attacks and the tests that are named by their ids agree.</summary>
public sealed partial class AttackTests
{
    private static readonly string[] Page = File.ReadAllLines(Path.Combine(Sources.Root, "docs/past-attacks.md"));

    [Fact]
    public void Every_attack_in_the_table_has_a_test_of_its_id_and_every_such_test_is_in_the_table()
    {
        var tests = Sources.Under("tests/SecureChat.Server.Tests").Concat(Sources.Under("tests/SecureChat.Client.Tests"))
            .Concat(Sources.Under("tests/SecureChat.Scenarios")).Concat(Sources.Under("tests/SecureChat.Browser.Tests"))
            .SelectMany(file => Sources.Parse(file).DescendantNodes().OfType<MethodDeclarationSyntax>())
            .Select(method => method.Identifier.Text).Where(name => Test().IsMatch(name)).Order().ToList();
        var rows = Rows(cells: 6).ToList();

        Assert.NotEmpty(rows);
        Assert.Equal(tests, rows.SelectMany(row => Test().Matches(row[3]).Select(match => match.Value)).Order());
        Assert.All(rows, row => Assert.All(
            Test().Matches(row[3]), match => Assert.StartsWith(row[0] + "_", match.Value, StringComparison.Ordinal)));
        Assert.All(rows, row => Assert.NotEmpty(Test().Matches(row[3])));
        Assert.All(rows, row => Assert.StartsWith("yes: ", row[5], StringComparison.Ordinal));
    }

    [Fact]
    public void Every_attack_in_the_table_has_a_patch_that_takes_its_defence_out_or_a_reason_why_not()
    {
        var folder = Path.Combine(Sources.Root, "mutation/attacks");
        var patched = Directory.GetFiles(folder, "*.patch").Select(file => Path.GetFileNameWithoutExtension(file).Split('-')[0]).ToHashSet();
        var reasons = File.ReadAllLines(Path.Combine(folder, "README.md")).Where(line => line.StartsWith("| ", StringComparison.Ordinal))
            .SelectMany(line => Ids().Matches(line.Split('|')[1]).Select(match => match.Value)).ToList();

        Assert.All(
            Directory.GetFiles(folder, "*.patch"), file => Assert.StartsWith("Without: ", File.ReadLines(file).First(), StringComparison.Ordinal));
        Assert.Empty(patched.Intersect(reasons));
        Assert.Equal(Rows(cells: 6).Select(row => row[0]).Order(), patched.Concat(reasons).Order());
    }

    [Fact]
    public async Task Every_patch_fits_the_code_that_it_takes_a_defence_out_of()
    {
        var ct = TestContext.Current.CancellationToken;
        Assert.SkipUnless(
            Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(folder => File.Exists(Path.Combine(folder, "git"))), "git is not installed");
        foreach (var patch in Directory.GetFiles(Path.Combine(Sources.Root, "mutation/attacks"), "*.patch"))
        {
            var start = new ProcessStartInfo("git", ["-c", "safe.directory=*", "apply", "--check", patch]) { WorkingDirectory = Sources.Root, RedirectStandardError = true };
            using var git = Process.Start(start)!;
            var said = await git.StandardError.ReadToEndAsync(ct);
            await git.WaitForExitAsync(ct);

            Assert.True(git.ExitCode == 0, $"{Path.GetFileName(patch)}: {said}");
        }
    }

    [Fact]
    public void Every_test_that_the_table_or_the_threat_model_names_exists()
    {
        var names = Directory.GetDirectories(Path.Combine(Sources.Root, "tests"), "SecureChat.*").Select(Path.GetFileName)
            .SelectMany(project => Sources.Under($"tests/{project}"))
            .SelectMany(file => Sources.Parse(file).DescendantNodes())
            .Select(node => node is MethodDeclarationSyntax method ? method.Identifier.Text : (node as TypeDeclarationSyntax)?.Identifier.Text)
            .OfType<string>().ToHashSet();
        var pages = string.Join('\n', Page.Concat(File.ReadAllLines(Path.Combine(Sources.Root, "docs/threat-model.md"))));

        var cited = Cited().Matches(pages).Select(match => match.Groups[1].Value).Distinct().ToList();

        var unknown = cited.FindAll(name =>
            !(name.EndsWith('…') ? names.Any(known => known.StartsWith(name[..^1], StringComparison.Ordinal)) : names.Contains(name)));

        Assert.NotEmpty(cited);
        Assert.Equal([], unknown);
    }

    [Fact]
    public void An_attack_is_either_met_here_or_told_where_it_is()
    {
        var here = Rows(cells: 6).Select(row => row[0]).ToList();
        var elsewhere = Rows(cells: 3).Select(row => row[0]).ToList();

        Assert.Equal(here.Count, here.Distinct().Count());
        Assert.Empty(here.Intersect(elsewhere));
        Assert.Superset(Faced.ToHashSet(), here.Concat(elsewhere).ToHashSet());
    }

    // The rows that begin with an id, of the table with so many columns.
    private static IEnumerable<string[]> Rows(int cells) => Page
        .Select(line => line.Trim().Trim('|').Split(" | ").Select(cell => cell.Trim()).ToArray())
        .Where(row => row.Length == cells && Id().IsMatch(row[0]));

    private static IEnumerable<string> Faced =>
    [
        "K1", "K2", "M3", "M4", "M5", "M6", "M7", "M8", "M9", "M12", "M14",
        .. Enumerable.Range(1, 9).Select(i => $"A{i}"), .. Enumerable.Range(1, 10).Select(i => $"T{i}"), "T16", "T20", "T21",
    ];

    [GeneratedRegex("^[AKMT][0-9]+$")]
    private static partial Regex Id();

    [GeneratedRegex("[AKMT][0-9]+")]
    private static partial Regex Ids();

    // Tests are named as claims, their classes end in Tests; three dots stand for the rest of a long one.
    [GeneratedRegex("`([A-Z][A-Za-z0-9]*(?:_[A-Za-z0-9_]*…?|Tests))`")]
    private static partial Regex Cited();

    [GeneratedRegex("\\b[AKMT][0-9]+_[A-Za-z0-9]\\w*")]
    private static partial Regex Test();
}
