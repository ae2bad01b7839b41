using System.Security.Cryptography;
using System.Text;
using SecureChat.Client.LocalStore;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Backups;

/// <summary>
/// What opens a backup: 256 random bits, to be written down or kept in a password manager. Whoever has them reads the backup.
/// Spec: docs/protocol/backups.md#recovery-key.
/// </summary>
public sealed class RecoveryKey : IDisposable
{
    private const int Size = 32;
    private const int ChecksumSize = 2;
    private const int GroupSize = 5;
    private const int BitsPerSymbol = 5;

    /// <summary>Crockford's: without I, L, O and U, which are read as others.</summary>
    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    private readonly byte[] _key;

    private RecoveryKey(byte[] key, byte[] secret) => (_key, Secret) = (key, secret);

    private static ReadOnlySpan<byte> ChecksumPurpose => "secureChat recovery key checksum v1"u8;

    private static ReadOnlySpan<byte> SaltPurpose => "secureChat recovery passphrase salt v1"u8;

    private static ReadOnlySpan<byte> SecretPurpose => "secureChat recovery secret v1"u8;

    private static ReadOnlySpan<byte> SigningPurpose => "secureChat backup key v1"u8;

    /// <summary>What the keys of a backup are derived from: the key, or the key and a passphrase together.</summary>
    internal byte[] Secret { get; }

    /// <summary>Draws a new one.</summary>
    public static RecoveryKey Generate() => Of(RandomNumberGenerator.GetBytes(Size));

    /// <summary>Reads what <see cref="Reveal"/> has written, in any case and with any spaces and hyphens.</summary>
    /// <exception cref="FormatException">It is none: it is too short or too long, or a character is wrong.</exception>
    public static RecoveryKey Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var symbols = text.Where(symbol => symbol != '-' && !char.IsWhiteSpace(symbol)).Select(ValueOf).ToArray();
        if (symbols.Length != Length)
        {
            throw new FormatException($"A recovery key has {Length} letters and digits; this has {symbols.Length}.");
        }

        var bytes = new byte[Size + ChecksumSize];
        for (var bit = 0; bit < symbols.Length * BitsPerSymbol; bit++)
        {
            if (((symbols[bit / BitsPerSymbol] >> (BitsPerSymbol - 1 - (bit % BitsPerSymbol))) & 1) == 0)
            {
                continue;
            }

            if (bit / 8 >= bytes.Length)
            {
                throw Mistyped();
            }

            bytes[bit / 8] |= (byte)(0x80 >> (bit % 8));
        }

        return CryptographicOperations.FixedTimeEquals(Checksum(bytes.AsSpan(0, Size)), bytes.AsSpan(Size)) ? Of(bytes[..Size]) : throw Mistyped();
    }

    /// <summary>
    /// The same key, good only together with a passphrase: who finds the one opens nothing without the other. Takes about half a second and
    /// 64 MiB (Argon2id). The result opens other backups than the key alone.
    /// </summary>
    /// <param name="passphrase">Used in NFKC. A runtime without ICU (invariant globalization, a browser) does not normalize: there the caller does.</param>
    public RecoveryKey WithPassphrase(string passphrase)
    {
        ArgumentException.ThrowIfNullOrEmpty(passphrase);
        var salt = new byte[PassphraseKey.SaltSize];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _key, salt, [], SaltPurpose);
        var stretched = PassphraseKey.Derive(passphrase, salt);
        var secret = new byte[Size];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, [.. _key, .. stretched], secret, [], SecretPurpose);
        CryptographicOperations.ZeroMemory(stretched);
        return new RecoveryKey([.. _key], secret);
    }

    /// <summary>The key to write down: 11 groups of five letters and digits, the last of which tell when another is mistyped.</summary>
    public string Reveal()
    {
        byte[] bytes = [.. _key, .. Checksum(_key)];
        var text = new StringBuilder();
        for (var symbol = 0; symbol < Length; symbol++)
        {
            var value = 0;
            for (var bit = symbol * BitsPerSymbol; bit < (symbol + 1) * BitsPerSymbol; bit++)
            {
                value = (value << 1) | (bit / 8 < bytes.Length ? (bytes[bit / 8] >> (7 - (bit % 8))) & 1 : 0);
            }

            text.Append(symbol > 0 && symbol % GroupSize == 0 ? "-" : "").Append(Alphabet[value]);
        }

        return text.ToString();
    }

    /// <summary>The key that signs requests about the backup.</summary>
    internal PrivateKey NewSigningKey() => Connection.SignedRequests.KeyOf(Secret, SigningPurpose);

    /// <summary>A key for one use.</summary>
    internal byte[] Derive(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> purpose)
    {
        var derived = new byte[Size];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, Secret, derived, salt, purpose);
        return derived;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_key);
        CryptographicOperations.ZeroMemory(Secret);
    }

    /// <summary>Never the key.</summary>
    public override string ToString() => nameof(RecoveryKey);

    private static int Length => (((Size + ChecksumSize) * 8) + BitsPerSymbol - 1) / BitsPerSymbol;

    private static RecoveryKey Of(byte[] key) => new(key, [.. key]);

    private static byte[] Checksum(ReadOnlySpan<byte> key) => SHA256.HashData([.. ChecksumPurpose, .. key])[..ChecksumSize];

    private static int ValueOf(char symbol)
    {
        var read = char.ToUpperInvariant(symbol) switch { 'O' => '0', 'I' or 'L' => '1', var other => other };
        return Alphabet.IndexOf(read, StringComparison.Ordinal) is var value and >= 0
            ? value
            : throw new FormatException($"'{symbol}' is in no recovery key.");
    }

    private static FormatException Mistyped() => new("A letter or digit of this recovery key is wrong.");
}
