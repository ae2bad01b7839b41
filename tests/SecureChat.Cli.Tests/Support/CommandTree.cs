using System.CommandLine;
using SecureChat.Client.Connection;

namespace SecureChat.Cli.Tests.Support;

/// <summary>Every command of the program that does something, by its path.</summary>
internal static class CommandTree
{
    public static IReadOnlyList<(string Path, Command Command)> All()
    {
        using var host = new TypedHost(new SystemNetwork(), Path.GetTempPath());
        return [.. Below("", Program.CreateRoot(new Cli(host)))];
    }

    private static IEnumerable<(string Path, Command Command)> Below(string prefix, Command parent)
    {
        foreach (var command in parent.Subcommands)
        {
            if (command.Action is not null)
            {
                yield return (prefix + command.Name, command);
            }

            foreach (var below in Below($"{prefix}{command.Name} ", command))
            {
                yield return below;
            }
        }
    }
}
