using System.Security.Cryptography;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Storage;

/// <summary>The server's own keys, 32 random bytes or more each. Nodes that work together share them.</summary>
/// <remarks>A class, not a record: nothing prints it.</remarks>
internal sealed class Secrets
{
    private const int MinBytes = 32;

    // Random 32 bytes have about 30 distinct values; text, counters and repetitions have few.
    private const int MinDistinctBytes = 16;

    private static readonly string[] SampleWords = ["changeme", "change-me", "change_me", "replace", "password", "secret", "example", "sample", "default", "insecure", "test-key"];

    private Secrets(SecretsOptions options, string folder, bool create)
    {
        TokenKey = Read(options.TokenKey, nameof(options.TokenKey), folder, "token.key", create);
        IdentifierKey = Read(options.IdentifierKey, nameof(options.IdentifierKey), folder, "identifier.key", create);
        OtpKey = Read(options.OtpKey, nameof(options.OtpKey), folder, "otp.key", create);
        PushKey = Read(options.PushKey, nameof(options.PushKey), folder, "push.key", create);
    }

    /// <summary>Access-token signing keys and refresh tokens are derived from it. All nodes share it.</summary>
    public byte[] TokenKey { get; }

    /// <summary>Hashes e-mail addresses and numbers. Losing it cuts every account off from its identifier.</summary>
    public byte[] IdentifierKey { get; }

    /// <summary>Hashes one-time codes.</summary>
    public byte[] OtpKey { get; }

    /// <summary>Encrypts push tokens; the VAPID key is derived from it. Losing it ends every push registration.</summary>
    public byte[] PushKey { get; }

    /// <summary>Reads the secrets from the settings or the data folder, making in the folder those that are nowhere yet.</summary>
    /// <exception cref="SettingsException">A secret is short, known or weak, or others can read its file.</exception>
    public static Secrets Load(SecretsOptions options, string folder)
    {
        OwnerOnly.CreateFolder(folder);
        return new Secrets(options, folder, create: true);
    }

    /// <summary>Checks the secrets there are, and makes none.</summary>
    /// <exception cref="SettingsException">A secret is short, known or weak, or others can read its file.</exception>
    public static void Check(SecretsOptions options, string folder) => _ = new Secrets(options, folder, create: false);

    private static byte[] Read(string setting, string name, string folder, string fileName, bool create)
    {
        if (setting.Length > 0)
        {
            return Checked(Decode(setting, name), setting, $"Secrets:{name}");
        }

        var file = Path.Combine(folder, fileName);
        if (File.Exists(file))
        {
            OwnerOnly.Check(file);
            return Checked(File.ReadAllBytes(file), "", $"The secret in {file}");
        }

        var secret = RandomNumberGenerator.GetBytes(MinBytes);
        if (create)
        {
            OwnerOnly.Write(file, secret);
        }

        return secret;
    }

    private static byte[] Decode(string setting, string name)
    {
        try
        {
            return Convert.FromBase64String(setting.Trim());
        }
        catch (FormatException)
        {
            throw new SettingsException($"Secrets:{name} must be {MinBytes} random bytes in base64; make them with 'openssl rand -base64 32'.");
        }
    }

    private static byte[] Checked(byte[] secret, string text, string what)
    {
        var isWeak = secret.Length < MinBytes
            || secret.Distinct().Count() < MinDistinctBytes
            || SampleWords.Any(word => text.Contains(word, StringComparison.OrdinalIgnoreCase)
                || System.Text.Encoding.Latin1.GetString(secret).Contains(word, StringComparison.OrdinalIgnoreCase));
        return isWeak
            ? throw new SettingsException(
                $"{what} is too short, a sample, or not random. Give at least {MinBytes} random bytes, for example from 'openssl rand -base64 32'.")
            : secret;
    }
}
