using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace SecureChat.Server.Storage;

/// <summary>P-256 key pairs derived from a secret: HKDF, then FIPS 186-5 A.2.1 "extra random bits".</summary>
internal static class P256
{
    /// <summary>The same key for the same secret and label, on every node.</summary>
    public static ECDsa Derive(byte[] secret, string label)
    {
        Span<byte> material = stackalloc byte[48];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, material, [], Encoding.UTF8.GetBytes(label));
        var scalar = (new BigInteger(material, isUnsigned: true, isBigEndian: true) % (Order - 1)) + 1;
        CryptographicOperations.ZeroMemory(material);

        var d = new byte[32];
        var bytes = scalar.ToByteArray(isUnsigned: true, isBigEndian: true);
        bytes.CopyTo(d, d.Length - bytes.Length);
        var key = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = d });
        CryptographicOperations.ZeroMemory(d);
        CryptographicOperations.ZeroMemory(bytes);
        return key;
    }

    // The order of P-256's base point (SP 800-186).
    private static readonly BigInteger Order = BigInteger.Parse(
        "00FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
