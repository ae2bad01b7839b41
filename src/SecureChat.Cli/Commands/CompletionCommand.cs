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

    // Where the script is a file that zsh loads at the first use, that use runs the whole file: it has to complete as well.
    private const string Zsh = """
        #compdef securechat
        _securechat() {
          local line="${(j: :)words[1,CURRENT-1]} $PREFIX"
          local -a found
          found=("${(@f)$(securechat "[suggest:${#line}]" "$line" 2>/dev/null)}")
          compadd -- $found
        }
        if [[ $funcstack[1] == _securechat ]]; then _securechat; else compdef _securechat securechat; fi
        """;

    private const string Fish = """
        function __securechat_complete
          set -l line (commandline -cp | string trim --left)
          securechat "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c securechat -a '(__securechat_complete)'
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
