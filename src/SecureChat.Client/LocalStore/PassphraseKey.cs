using System.Security.Cryptography;
using System.Text;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;

namespace SecureChat.Client.LocalStore;

/// <summary>32 bytes out of a passphrase: Argon2id (RFC 9106), 64 MiB, 3 passes, 1 lane.</summary>
internal static class PassphraseKey
{
    public const int KeySize = 32;
    public const int SaltSize = 16;

    private const int Kibibytes = 64 * 1024;
    private const int Passes = 3;

    public static byte[] Derive(string passphrase, byte[] salt)
    {
        // Without ICU this returns what it gets, and in a browser it throws: callers there normalize first.
        var bytes = Encoding.UTF8.GetBytes(OperatingSystem.IsBrowser() ? passphrase : passphrase.Normalize(NormalizationForm.FormKC));
        var argon = new Argon2BytesGenerator();
        argon.Init(new Argon2Parameters.Builder(Argon2Parameters.Argon2id)
            .WithVersion(Argon2Parameters.Version13)
            .WithSalt(salt)
            .WithMemoryAsKB(Kibibytes)
            .WithIterations(Passes)
            .WithParallelism(1)
            .Build());
        var key = new byte[KeySize];
        argon.GenerateBytes(bytes, key);
        CryptographicOperations.ZeroMemory(bytes);
        return key;
    }
}
