using System.Security.Cryptography;
using System.Text;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Usernames;

/// <summary>
/// A link that leads to a username: a server keeps the encrypted name, the link itself carries the key. Giving the link up,
/// or making another, does not change the name. docs/protocol/usernames.md#links. Disposing it erases the key.
/// </summary>
public sealed class UsernameLink : IDisposable
{
    /// <summary>The size of the key in the link, in bytes.</summary>
    public const int EntropySize = 32;

    /// <summary>The size of the encrypted name, in bytes.</summary>
    public const int EncryptedSize = AesCbc.IvSize + PaddedSize + MacSize;

    private const int MacSize = 32;
    private const int PaddedSize = 64;

    /// <summary>Names are filled up to this, so that the encrypted form does not tell how long a name is.</summary>
    private const int FilledSize = 52;

    private const byte NameField = (1 << 3) | 2;
    private const byte PaddingField = (2 << 3) | 2;

    private readonly byte[] _entropy;

    private UsernameLink(byte[] entropy, byte[] encrypted) => (_entropy, EncryptedUsername) = (entropy, encrypted);

    /// <summary>The key: part of the link and never sent to a server.</summary>
    public ReadOnlyMemory<byte> Entropy => _entropy;

    /// <summary>What the server keeps: <see cref="EncryptedSize"/> bytes.</summary>
    public ReadOnlyMemory<byte> EncryptedUsername { get; }

    /// <summary>Makes a link under a fresh key.</summary>
    /// <exception cref="SignalException">The name is too long for a link: <see cref="SignalError.InvalidUsername"/>.</exception>
    public static UsernameLink Create(Username username, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        Span<byte> entropy = stackalloc byte[EntropySize];
        random.Fill(entropy);
        try
        {
            return Create(username, entropy, random);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(entropy);
        }
    }

    /// <summary>Makes a link under the key of an existing one, when only the capitals of a name change.</summary>
    /// <exception cref="SignalException">The name is too long for a link: <see cref="SignalError.InvalidUsername"/>.</exception>
    public static UsernameLink Create(Username username, ReadOnlySpan<byte> entropy, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(username);
        ArgumentNullException.ThrowIfNull(random);
        ArgumentOutOfRangeException.ThrowIfNotEqual(entropy.Length, EntropySize);
        var plaintext = Fill(username);
        if (plaintext.Length >= PaddedSize)
        {
            throw new SignalException(SignalError.InvalidUsername, "The username is too long for a link.");
        }

        var iv = new byte[AesCbc.IvSize];
        random.Fill(iv);
        var (cipherKey, macKey) = Keys(entropy);
        byte[] sealedName = [.. iv, .. AesCbc.Encrypt(cipherKey, iv, plaintext)];
        byte[] encrypted = [.. sealedName, .. HMACSHA256.HashData(macKey, sealedName)];
        CryptographicOperations.ZeroMemory(cipherKey);
        CryptographicOperations.ZeroMemory(macKey);
        return new UsernameLink(entropy.ToArray(), encrypted);
    }

    /// <summary>Reads the name behind a link.</summary>
    /// <param name="entropy">The key in the link.</param>
    /// <param name="encryptedUsername">What the server gave for it.</param>
    /// <exception cref="SignalException">
    /// The two do not belong together, or no username is in them: <see cref="SignalError.InvalidUsername"/>.
    /// </exception>
    public static Username Open(ReadOnlySpan<byte> entropy, ReadOnlySpan<byte> encryptedUsername)
    {
        if (entropy.Length != EntropySize || encryptedUsername.Length != EncryptedSize)
        {
            throw Damaged();
        }

        var sealedName = encryptedUsername[..^MacSize];
        var (cipherKey, macKey) = Keys(entropy);
        var isGenuine = CryptographicOperations.FixedTimeEquals(HMACSHA256.HashData(macKey, sealedName), encryptedUsername[^MacSize..]);
        var plaintext = isGenuine ? AesCbc.Decrypt(cipherKey, sealedName[..AesCbc.IvSize], sealedName[AesCbc.IvSize..]) : null;
        CryptographicOperations.ZeroMemory(cipherKey);
        CryptographicOperations.ZeroMemory(macKey);
        return NameIn(plaintext ?? throw Damaged());
    }

    /// <summary>Never the key.</summary>
    public override string ToString() => nameof(UsernameLink);

    /// <inheritdoc/>
    public void Dispose() => CryptographicOperations.ZeroMemory(_entropy);

    private static byte[] Fill(Username username)
    {
        var name = Encoding.ASCII.GetBytes(username.Text);
        var padding = FilledSize - name.Length - 4;
        byte[] field = [NameField, (byte)name.Length, .. name];
        return padding > 0 ? [.. field, PaddingField, (byte)padding, .. new byte[padding]] : field;
    }

    internal static Username NameIn(byte[] plaintext)
    {
        // Names are far shorter than 128 bytes, so that a length is one byte.
        if (plaintext.Length < 2 || plaintext[0] != NameField || plaintext[1] > plaintext.Length - 2)
        {
            throw Damaged();
        }

        return Username.Parse(Encoding.UTF8.GetString(plaintext.AsSpan(2, plaintext[1])));
    }

    private static (byte[] Cipher, byte[] Mac) Keys(ReadOnlySpan<byte> entropy) => (
        Hkdf.Derive([], entropy, "Signal Username Link Encryption Key"u8, AesCbc.KeySize),
        Hkdf.Derive([], entropy, "Signal Username Link Authentication Key"u8, MacSize));

    private static SignalException Damaged() =>
        new(SignalError.InvalidUsername, "The username link does not lead to a username.");
}
