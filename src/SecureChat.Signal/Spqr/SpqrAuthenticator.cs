using System.Security.Cryptography;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Spqr;

/// <summary>
/// Ties each epoch's public key and ciphertext to the session's secrets, so that nobody in the middle can put a key of
/// their own in. Immutable. docs/protocol/spqr.md#authenticator.
/// </summary>
internal sealed class SpqrAuthenticator
{
    /// <summary>Size of a MAC, in bytes.</summary>
    public const int MacSize = 32;

    private const string Protocol = "Signal_PQCKA_V1_MLKEM768";
    private readonly byte[] _root;
    private readonly byte[] _macKey;

    private SpqrAuthenticator(byte[] root, byte[] macKey) => (_root, _macKey) = (root, macKey);

    /// <summary>The authenticator of a new session, which starts in epoch 1.</summary>
    public static SpqrAuthenticator Initial(ReadOnlySpan<byte> authKey) =>
        new SpqrAuthenticator(new byte[SpqrKdf.KeySize], []).Update(1, authKey);

    /// <summary>Mixes the secret of an epoch in.</summary>
    public SpqrAuthenticator Update(ulong epoch, ReadOnlySpan<byte> secret)
    {
        byte[] material = [.. _root, .. secret];
        var keys = Hkdf.Derive(
            [], material, SpqrKdf.Labelled(Protocol + ":Authenticator Update", epoch), 2 * SpqrKdf.KeySize);
        CryptographicOperations.ZeroMemory(material);
        return new SpqrAuthenticator(keys[..SpqrKdf.KeySize], keys[SpqrKdf.KeySize..]);
    }

    /// <summary>The MAC over the first part of an epoch's public key.</summary>
    public byte[] HeaderMac(ulong epoch, ReadOnlySpan<byte> header) => Mac(":ekheader", epoch, header, []);

    /// <summary>The MAC over an epoch's ciphertext.</summary>
    public byte[] CiphertextMac(ulong epoch, ReadOnlySpan<byte> ciphertext1, ReadOnlySpan<byte> ciphertext2) =>
        Mac(":ciphertext", epoch, ciphertext1, ciphertext2);

    /// <summary>What an epoch gives to the chains: the KEM's secret bound to protocol and epoch.</summary>
    public static byte[] EpochSecret(ulong epoch, ReadOnlySpan<byte> kemSecret) =>
        Hkdf.Derive([], kemSecret, SpqrKdf.Labelled(Protocol + ":SCKA Key", epoch), SpqrKdf.KeySize);

    public void Erase()
    {
        CryptographicOperations.ZeroMemory(_root);
        CryptographicOperations.ZeroMemory(_macKey);
    }

    public void Write(SpqrWriter writer)
    {
        writer.Bytes(_root);
        writer.Bytes(_macKey);
    }

    public static SpqrAuthenticator Read(ref SpqrReader reader) =>
        new(reader.Bytes(SpqrKdf.KeySize), reader.Bytes(SpqrKdf.KeySize));

    private byte[] Mac(string purpose, ulong epoch, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _macKey);
        hmac.AppendData(SpqrKdf.Labelled(Protocol + purpose, epoch));
        hmac.AppendData(first);
        hmac.AppendData(second);
        return hmac.GetHashAndReset();
    }
}
