using System.Security.Cryptography;

namespace SecureChat.Server.Storage;

/// <summary>The server's own keys, 32 random bytes each, in files that only the owner can read.</summary>
/// <remarks>A class, not a record: nothing prints it.</remarks>
internal sealed class Secrets
{
    private Secrets(string folder)
    {
        TokenKey = LoadOrCreate(Path.Combine(folder, "token.key"));
        IdentifierKey = LoadOrCreate(Path.Combine(folder, "identifier.key"));
        OtpKey = LoadOrCreate(Path.Combine(folder, "otp.key"));
    }

    /// <summary>Access-token signing keys and refresh tokens are derived from it. All nodes share it.</summary>
    public byte[] TokenKey { get; }

    /// <summary>Hashes e-mail addresses and numbers. Losing it cuts every account off from its identifier.</summary>
    public byte[] IdentifierKey { get; }

    /// <summary>Hashes one-time codes.</summary>
    public byte[] OtpKey { get; }

    /// <summary>Reads the secrets of a data folder, making those that do not exist yet.</summary>
    public static Secrets Load(string folder)
    {
        OwnerOnly.CreateFolder(folder);
        return new Secrets(folder);
    }

    private static byte[] LoadOrCreate(string file)
    {
        if (File.Exists(file))
        {
            return File.ReadAllBytes(file) is { Length: >= 32 } known
                ? known
                : throw new InvalidOperationException($"The secret in {file} is shorter than 32 bytes.");
        }

        var secret = RandomNumberGenerator.GetBytes(32);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var stream = new FileStream(file, options);
        stream.Write(secret);
        return secret;
    }
}
