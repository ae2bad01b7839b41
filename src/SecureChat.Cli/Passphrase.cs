using ICU4N.Text;

namespace SecureChat.Cli;

/// <summary>Passphrases in NFKC. The command line runs where no ICU is installed, and there the platform's own normalization does nothing.</summary>
internal static class Passphrase
{
    public static string Normalize(string typed) => Normalizer2.NFKCInstance.Normalize(typed);
}
