using System.CommandLine;
using Microsoft.Extensions.Options;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Hosting;

/// <summary>The commands of <c>securechat-server</c>. Without one it runs the server.</summary>
internal static class CommandLine
{
    public static int Run(string[] args, params ReadOnlySpan<Command> commands)
    {
        var checkConfig = new Option<bool>("--check-config")
        {
            Description = "Checks every setting and secret, says what is wrong, and exits: 0 all is well, 2 it is not.",
        };
        var root = new RootCommand("""
            secureChat: a privacy-first chat and call server. Without a command it runs until it is stopped.

            Settings: appsettings.json, SECURECHAT_SECTION__NAME=value, or --Section:Name value; docs/operating.md lists them.
            """)
        {
            checkConfig,
        };
        root.TreatUnmatchedTokensAsErrors = false;
        foreach (var command in commands)
        {
            root.Add(command);
        }

        root.SetAction((result, ct) => GuardAsync(() => Server.RunAsync(
            SettingsOf(result.UnmatchedTokens), result.GetValue(checkConfig), ct)));
        return root.Parse(args).Invoke();
    }

    /// <summary>Turns what an operator can mend into a sentence on the terminal and an exit code: 2 settings, 3 a store, 4 an address.</summary>
    public static async Task<int> GuardAsync(Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (SettingsException wrong)
        {
            Terminal.WriteError(wrong.Message);
            return 2;
        }
        catch (StorageUnavailableException unreachable)
        {
            Terminal.WriteError(unreachable.Message);
            return 3;
        }
        catch (IOException taken) when (taken.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            Terminal.WriteError($"{taken.Message} Stop what listens there, or set Server:Api, Server:Socket or Server:Management.");
            return 4;
        }
    }

    /// <summary>Gives a command one service of a server that is not started: it works beside a running one, on its database.</summary>
    public static Command On<TService>(Command command, Func<TService, ParseResult, CancellationToken, Task<int>> work)
        where TService : notnull
    {
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction((parsed, ct) => GuardAsync(async () =>
        {
            await using var server = Server.Build(SettingsOf(parsed.UnmatchedTokens));

            // A server that was never started has no tables yet.
            var storage = server.Services.GetRequiredService<IOptions<StorageOptions>>().Value;
            var service = server.Services.GetRequiredService<TService>();
            Migrations.Apply(storage.Postgres, storage.FileOf(StorageOptions.DirectoryFile));
            return await work(service, parsed, ct);
        }));
        return command;
    }

    /// <summary>The settings among a command line's tokens.</summary>
    public static IReadOnlyList<string> SettingsOf(IReadOnlyList<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            // What the build passes when it asks the program for its API description.
            if (tokens[i].StartsWith("--applicationName", StringComparison.Ordinal))
            {
                continue;
            }

            // "--Section:Name=value", or "--Section:Name" and then its value.
            if (!tokens[i].StartsWith("--", StringComparison.Ordinal) || !tokens[i].Contains(':', StringComparison.Ordinal))
            {
                throw new SettingsException($"'{tokens[i]}' is neither a command nor a setting. Try --help, or --Server:Api http://localhost:8080.");
            }

            if (!tokens[i].Contains('=', StringComparison.Ordinal) && ++i >= tokens.Count)
            {
                throw new SettingsException($"{tokens[^1]} needs a value, for example {tokens[^1]} 8080.");
            }
        }

        return tokens;
    }
}
