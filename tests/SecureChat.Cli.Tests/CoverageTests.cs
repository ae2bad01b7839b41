using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using SecureChat.Cli.Tests.Support;
using SecureChat.Client.Connection;

namespace SecureChat.Cli.Tests;

/// <summary>The transcripts leave no command, no exit code and no kind of line out.</summary>
public sealed class CoverageTests
{
    private static readonly string[] WithoutJson =
    [
        // What it prints is a script for the shell.
        "completion",

        // Their lines come as they come, or take half a minute: SessionTests run these two.
        "chat", "demo",
    ];

    [Fact]
    public void Every_command_and_alias_is_run_in_a_transcript()
    {
        var run = Steps().Where(step => !step.Line.ShowsCode).Select(step => PathOf(step.Line)).ToHashSet();

        NoneOf(Commands().Except(run));
    }

    [Fact]
    public void Every_command_prints_json_in_a_transcript()
    {
        var printing = Steps().Where(step => !step.Line.ShowsCode && step.Line.Words.Contains("--json") && step.Screen.Any(shown => JsonTable.TypeOf(shown) is not null))
            .Select(step => PathOf(step.Line)).ToHashSet();

        NoneOf(Commands().Except(printing).Except(WithoutJson));
    }

    [Fact]
    public void Every_type_of_line_that_the_program_writes_is_documented_and_no_other() =>
        Assert.Equal(Enum.GetNames<LineType>().Select(JsonNamingPolicy.CamelCase.ConvertName).Order(), JsonTable.Types.Order());

    [Fact]
    public void Every_exit_code_is_shown_by_a_transcript()
    {
        var shown = Steps().Where(step => step.Line.ShowsCode).Select(step => step.Screen.Last(line => line.Length > 0));

        NoneOf(Enum.GetValues<ExitCode>().Where(code => code != ExitCode.Done).Select(code => ((int)code).ToString(CultureInfo.InvariantCulture)).Except(shown));
    }

    private static void NoneOf(IEnumerable<string> left) => Assert.True(!left.Any(), $"left out: {string.Join(", ", left)}");

    private static IEnumerable<(ShellLine Line, IReadOnlyList<string> Screen)> Steps() => TranscriptPlayer.All()
        .SelectMany(transcript => transcript.Steps).Select(step => (Line: ShellLine.Parse(step.Command), step.Screen)).Where(step => step.Line.IsProgram);

    private static IEnumerable<string> Commands() => CommandTree.All()
        .SelectMany(one => one.Command.Aliases.Prepend(one.Command.Name).Distinct().Select(name => one.Path[..^one.Command.Name.Length] + name));

    private static string PathOf(ShellLine line)
    {
        using var host = new TypedHost(new SystemNetwork(), Path.GetTempPath());
        var names = new Stack<string>();
        for (var at = Program.CreateRoot(new Cli(host)).Parse([.. line.Words.Skip(1)]).CommandResult; at.Parent is CommandResult above; at = above)
        {
            names.Push(at.IdentifierToken.Value);
        }

        return string.Join(' ', names);
    }
}
