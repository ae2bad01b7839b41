using System.CommandLine;

namespace SecureChat.Cli.Commands;

/// <summary><c>completion</c>: a script for the shell, which asks this program what could come next.</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        _securechat() {
          local word=${COMP_WORDS[COMP_CWORD]}
          mapfile -t COMPREPLY < <(compgen -W "$(securechat "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "$word")
        }
        complete -o default -F _securechat securechat
        """;

    private const string Zsh = """
        #compdef securechat
        _securechat() {
          local -a found
          found=("${(@f)$(securechat "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)}")
          compadd -- $found
        }
        compdef _securechat securechat
        """;

    private const string Fish = """
        complete -c securechat -a '(securechat "[suggest:"(commandline -C)"]" (commandline -cp) 2>/dev/null)'
        """;

    public static Command Create(Cli cli)
    {
        var kind = new Argument<string>("shell") { Description = "bash, zsh or fish." };
        kind.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", "Prints a completion script.")
        {
            kind,
        };
        return cli.Does(command, (shell, parsed, _) =>
        {
            shell.Host.Out.WriteLine(parsed.GetRequiredValue(kind) switch { "bash" => Bash, "zsh" => Zsh, _ => Fish });
            return Task.CompletedTask;
        },
        "securechat completion bash > ~/.local/share/bash-completion/completions/securechat",
        "securechat completion zsh > ~/.zfunc/_securechat",
        "securechat completion fish > ~/.config/fish/completions/securechat.fish");
    }
}
