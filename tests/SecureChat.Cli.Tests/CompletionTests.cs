using System.Diagnostics;
using SecureChat.Cli.Tests.Support;
using SecureChat.Client.Connection;

namespace SecureChat.Cli.Tests;

/// <summary>The completion scripts, in the shells that they are for.</summary>
public sealed class CompletionTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_shell_that_this_machine_has_can_read_its_script()
    {
        var read = new List<string>();
        foreach (var (shell, check) in new[] { ("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute") })
        {
            if (IsHere(shell))
            {
                Assert.Equal("", await RunAsync(shell, await ScriptAsync(shell), check));
                read.Add(shell);
            }
        }

        Assert.Contains("bash", read);
    }

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

    private static bool IsHere(string shell) =>
        Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, shell)));

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
