using System.Diagnostics;
using SecureChat.Cli.Tests.Support;
using SecureChat.Client.Connection;

namespace SecureChat.Cli.Tests;

/// <summary>The completion scripts, in the shells that they are for.</summary>
public sealed class CompletionTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("securechat gro", "group")]
    [InlineData("securechat group dem", "demote")]
    [InlineData("securechat completion z", "zsh")]
    [InlineData("securechat send --view", "--view-once")]
    public async Task Bash_completes_what_was_begun(string typed, string expected)
    {
        var words = typed.Split(' ');
        var script = $"""
            {await ScriptAsync("bash")}
            PATH="{AppContext.BaseDirectory}:$PATH"
            COMP_LINE="{typed}" COMP_POINT={typed.Length} COMP_WORDS=({typed}) COMP_CWORD={words.Length - 1}
            _securechat
            echo "$(IFS=,; echo "${"{"}COMPREPLY[*]{"}"}")"
            """;

        Assert.Equal(expected, (await RunAsync("bash", script)).Trim());
    }

    // In a terminal, by the file that its help names: what the line is after the tabulator is told by a key of its own.
    [Theory]
    [InlineData("securechat gro", "securechat group ")]
    [InlineData("securechat group dem", "securechat group demote ")]
    [InlineData("true; securechat completion z", "true; securechat completion zsh ")]
    [InlineData("securechat send --view", "securechat send --view-once ")]
    public async Task Zsh_completes_what_was_begun_at_the_first_try(string typed, string expected)
    {
        RequireShell("zsh");
        var home = Directory.CreateTempSubdirectory("securechat-zsh-");
        try
        {
            await File.WriteAllTextAsync(Path.Combine(home.FullName, "_securechat"), await ScriptAsync("zsh"), Ct);
            await File.WriteAllTextAsync(
                Path.Combine(home.FullName, ".zshrc"),
                $$"""
                path=({{AppContext.BaseDirectory}} $path)
                fpath=({{home}} $fpath)
                autoload -Uz compinit
                compinit -u -d {{home}}/dump
                zle-line-init() { print READY }
                tell() { print -r -- "<$BUFFER>TOLD" }
                zle -N zle-line-init
                zle -N tell
                bindkey '^T' tell
                """,
                Ct);

            var told = await RunAsync(
                "zsh",
                $$"""
                zmodload zsh/zpty
                zpty shell 'ZDOTDIR={{home}} TERM=dumb zsh -d -i'
                zpty -r shell heard '*READY*'
                zpty -wn shell $'{{typed}}\t\C-t'
                zpty -r shell heard '*>TOLD*'
                print -r -- "${${heard##*<}%%>*}"
                zpty -d shell
                """,
                "-f");

            Assert.Equal(expected + "\n", told);
        }
        finally
        {
            home.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("securechat gro", "group")]
    [InlineData("securechat group dem", "demote")]
    [InlineData("true | securechat group prom", "promote")]
    [InlineData("securechat send --view", "--view-once")]
    public async Task Fish_completes_what_was_begun(string typed, string expected)
    {
        RequireShell("fish");
        var home = Directory.CreateTempSubdirectory("securechat-fish-");
        try
        {
            var folder = home.CreateSubdirectory("fish/completions");
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "securechat.fish"), await ScriptAsync("fish"), Ct);

            var told = await RunAsync(
                "env",
                "",
                $"XDG_CONFIG_HOME={home}", $"XDG_DATA_HOME={home}", $"PATH={AppContext.BaseDirectory}:{Environment.GetEnvironmentVariable("PATH")}",
                "fish", "-c", $"complete -C '{typed}'");

            Assert.Equal(expected, told.Trim());
        }
        finally
        {
            home.Delete(recursive: true);
        }
    }

    private static void RequireShell(string shell) => Assert.SkipUnless(
        Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, shell))),
        $"There is no {shell} on this machine: its completion script was not tried.");

    private static async Task<string> ScriptAsync(string shell)
    {
        using var host = new TypedHost(new SystemNetwork(), Path.GetTempPath());
        Assert.Equal(0, await Program.RunAsync(["completion", shell], host, Ct));
        return host.Printed;
    }

    /// <summary>What a shell says about a script on its standard input.</summary>
    private static async Task<string> RunAsync(string shell, string script, params string[] options)
    {
        using var process = Process.Start(new ProcessStartInfo(shell, options) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (told, wrong) = (process.StandardOutput.ReadToEndAsync(Ct), process.StandardError.ReadToEndAsync(Ct));
        await process.StandardInput.WriteLineAsync(script.AsMemory(), Ct);
        process.StandardInput.Close();
        await process.WaitForExitAsync(Ct);
        return await told + await wrong;
    }
}
