using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace SecureChat.Server.Tests.Architecture;

/// <summary>Files, functions and the README stay small enough to be read in one go.</summary>
public sealed class SizeTests
{
    private const int MaxFileLines = 400;
    private const int MaxFunctionLines = 60;
    private const int MaxReadmeLines = 120;
    private const int FirstScreen = 25;

    private static readonly string[] Folders = ["src", "tests", "bench"];

    [Fact]
    public void No_file_is_longer_than_400_lines()
    {
        var long_ = Folders.SelectMany(Sources.Under)
            .Select(file => (File: file, Lines: File.ReadLines(Path.Combine(Sources.Root, file)).Count()))
            .Where(file => file.Lines > MaxFileLines);

        Assert.Empty(long_);
    }

    [Fact]
    public void No_function_is_longer_than_60_lines()
    {
        var long_ = Folders.SelectMany(Sources.Under)
            .SelectMany(file => Sources.Parse(file).DescendantNodes()
                .Where(node => node is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax or AccessorDeclarationSyntax)
                .Select(node => (File: file, Line: LineOf(node).Start, Lines: LineOf(node).Count)))
            .Where(function => function.Lines > MaxFunctionLines);

        Assert.Empty(long_);
    }

    [Fact]
    public void The_readme_has_at_most_120_lines_and_begins_with_two_commands()
    {
        var lines = File.ReadAllLines(Path.Combine(Sources.Root, "README.md"));

        var first = lines.Take(FirstScreen).SkipWhile(line => line is not "```console").Skip(1).ToList();

        Assert.InRange(lines.Length, 1, MaxReadmeLines);
        Assert.Equal(2, first.IndexOf("```"));
        Assert.Single(first, line => line.StartsWith("```", StringComparison.Ordinal));
    }

    // Without the comments in front of it.
    private static (int Start, int Count) LineOf(SyntaxNode node)
    {
        var span = node.GetLocation().GetLineSpan();
        return (span.StartLinePosition.Line + 1, span.EndLinePosition.Line - span.StartLinePosition.Line + 1);
    }
}
