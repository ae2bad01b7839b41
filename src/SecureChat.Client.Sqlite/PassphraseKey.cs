using System.Security.Cryptography;
using System.Text;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;

namespace SecureChat.Client.Sqlite;

/// <summary>A store's key out of a passphrase: Argon2id (RFC 9106), 64 MiB, 3 passes, 1 lane.</summary>
internal static class PassphraseKey
{
    public const int SaltSize = 16;

    private const int Kibibytes = 64 * 1024;
    private const int Passes = 3;

    public static byte[] Derive(string passphrase, byte[] salt)
    {
        var bytes = Encoding.UTF8.GetBytes(passphrase.Normalize(NormalizationForm.FormKC));
        var argon = new Argon2BytesGenerator();
        argon.Init(new Argon2Parameters.Builder(Argon2Parameters.Argon2id)
            .WithVersion(Argon2Parameters.Version13)
            .WithSalt(salt)
            .WithMemoryAsKB(Kibibytes)
            .WithIterations(Passes)
            .WithParallelism(1)
            .Build());
        var key = new byte[RowSealer.KeySize];
        argon.GenerateBytes(bytes, key);
        CryptographicOperations.ZeroMemory(bytes);
        return key;
    }
}
