using System.Security.Cryptography;
using System.Text;
using SecureChat.Client.LocalStore;

namespace SecureChat.Client.Sqlite;

/// <summary>Hides what rows are called and what is in them. Spec: docs/local-store.md.</summary>
/// <remarks>
/// A value is sealed with AES-256-GCM for its own row: put into another one it does not open. Names become HMAC-SHA-256, cut to 16 bytes,
/// so that equal rows are found again and nothing else is learned.
/// </remarks>
internal sealed class RowSealer : IDisposable
{
    public const int KeySize = 32;

    private const int NameSize = 16;
    private const int NonceSize = 12;
    private const int TagSize = 16;

    private readonly byte[] _namesKey;
    private readonly AesGcm _values;

    public RowSealer(ReadOnlySpan<byte> key)
    {
        _namesKey = Derive(key, "secureChat store names v1"u8);
        var valuesKey = Derive(key, "secureChat store values v1"u8);
        _values = new AesGcm(valuesKey, TagSize);
        CryptographicOperations.ZeroMemory(valuesKey);
    }

    public byte[] Table(string table) => Name([0, .. Encoding.UTF8.GetBytes(table)]);

    public byte[] Key(string table, string key) =>
        Name([1, .. Name([0, .. Encoding.UTF8.GetBytes(table)]), .. Encoding.UTF8.GetBytes(key)]);

    /// <summary>nonce || AES-GCM(length of the key (2 bytes) || key || value).</summary>
    public byte[] Seal(string table, string key, ReadOnlySpan<byte> value)
    {
        var name = Encoding.UTF8.GetBytes(key);
        byte[] plain = [(byte)(name.Length >> 8), (byte)(name.Length & 0xFF), .. name, .. value];
        var stored = new byte[NonceSize + plain.Length + TagSize];
        var nonce = stored.AsSpan(0, NonceSize);
        RandomNumberGenerator.Fill(nonce);
        _values.Encrypt(nonce, plain, stored.AsSpan(NonceSize, plain.Length), stored.AsSpan(^TagSize..), Row(Table(table), Key(table, key)));
        CryptographicOperations.ZeroMemory(plain);
        return stored;
    }

    /// <exception cref="LocalStoreException">The row was damaged, changed or moved.</exception>
    public (string Key, ReadOnlyMemory<byte> Value) Open(byte[] table, byte[] key, byte[] stored)
    {
        if (stored.Length < NonceSize + 2 + TagSize)
        {
            throw Damaged(null);
        }

        var plain = new byte[stored.Length - NonceSize - TagSize];
        try
        {
            _values.Decrypt(
                stored.AsSpan(0, NonceSize), stored.AsSpan(NonceSize, plain.Length), stored.AsSpan(^TagSize..), plain, Row(table, key));
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw Damaged(e);
        }

        var length = (plain[0] << 8) | plain[1];
        return (Encoding.UTF8.GetString(plain, 2, length), plain.AsMemory(2 + length));
    }

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_namesKey);
        _values.Dispose();
    }

    private static byte[] Row(byte[] table, byte[] key) => [.. table, .. key];

    private byte[] Name(byte[] plain) => HMACSHA256.HashData(_namesKey, plain)[..NameSize];

    private static byte[] Derive(ReadOnlySpan<byte> key, ReadOnlySpan<byte> purpose)
    {
        var derived = new byte[KeySize];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, key, derived, [], purpose);
        return derived;
    }

    private static LocalStoreException Damaged(Exception? inner) => new("A row of the local store is damaged.", inner);
}
