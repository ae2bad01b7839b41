using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Xml.Linq;
using SecureChat.Cli.Tests.Support;
using SecureChat.Client.Connection;
using SecureChat.Tests;

namespace SecureChat.Cli.Tests;

/// <summary>docs/cli.md says what the program does.</summary>
public sealed class DocumentTests
{
    [Fact]
    public void Every_command_is_listed()
    {
        var table = new StringBuilder("\n| command | |\n| --- | --- |\n");
        foreach (var (name, command) in CommandTree.All())
        {
            table.Append(CultureInfo.InvariantCulture, $"| `{name}{string.Concat(command.Arguments.Select(Show))}`{string.Concat(command.Aliases.Select(alias => $", `{name[..^command.Name.Length]}{alias}`"))} | {command.Description} |\n");
        }

        WrittenTable.Check("docs/cli.md", "commands", table.Append('\n').ToString());
    }

    [Fact]
    public void Every_exit_code_is_listed()
    {
        var comments = XDocument.Load(Path.ChangeExtension(typeof(ExitCode).Assembly.Location, ".xml"));
        var table = new StringBuilder("\n| code | |\n| --- | --- |\n");
        foreach (var code in Enum.GetValues<ExitCode>())
        {
            var name = $"F:{typeof(ExitCode).FullName}.{code}";
            var summary = comments.Descendants("member").Single(member => member.Attribute("name")!.Value == name).Element("summary")!;
            var text = string.Concat(summary.Nodes().Select(node => node is XElement element ? $"`{element.Value}`" : node.ToString()));
            table.Append(CultureInfo.InvariantCulture, $"| {(int)code} | {text} |\n");
        }

        WrittenTable.Check("docs/cli.md", "exit codes", table.Append('\n').ToString());
    }

    [Fact]
    public async Task Every_command_explains_itself_and_each_of_its_options()
    {
        foreach (var (name, command) in CommandTree.All())
        {
            using var host = new TypedHost(new SystemNetwork(), Path.GetTempPath());

            Assert.Equal(0, await Program.RunAsync([.. name.Split(' '), "--help"], host, TestContext.Current.CancellationToken));

            Assert.Contains(command.Description!, host.Screen, StringComparison.Ordinal);
            Assert.All(command.Options.Concat<Symbol>(command.Arguments), symbol => Assert.False(string.IsNullOrEmpty(symbol.Description)));
        }
    }

    [Fact]
    public void The_sdks_readme_shows_the_sample_that_is_compiled_and_it_is_short()
    {
        var sample = File.ReadAllText(Path.Combine(WrittenTable.Root, "samples", "FirstMessage", "Program.cs"));
        var readme = File.ReadAllText(Path.Combine(WrittenTable.Root, "src", "SecureChat.Client", "README.md"));

        Assert.Contains($"```csharp\n{sample}```", readme, StringComparison.Ordinal);
        Assert.InRange(sample.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, 1, 15);
    }

    private static string Show(Argument argument) => argument.Arity.MinimumNumberOfValues == 0 ? $" [{argument.Name.ToUpperInvariant()}]" : $" {argument.Name.ToUpperInvariant()}";
}
