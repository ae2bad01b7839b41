using System.Numerics;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace SecureChat.Server.Accounts;

/// <summary>Checks XEdDSA signatures: Ed25519 signatures under a key that is known by its Montgomery form.</summary>
/// <remarks>"The XEdDSA and VXEdDSA Signature Schemes", revision 1, section 2.5; the Edwards key's sign travels in the signature's top bit.</remarks>
internal static class XEdDsa
{
    /// <param name="publicKey">33 bytes: type byte 0x05 and the u coordinate.</param>
    /// <param name="signature">64 bytes.</param>
    public static bool Verify(ReadOnlySpan<byte> publicKey, byte[] message, ReadOnlySpan<byte> signature)
    {
        var u = new BigInteger(publicKey[1..], isUnsigned: true);
        if (u >= Prime || (u + 1) % Prime == 0)
        {
            return false;
        }

        var y = (u + Prime - 1) * BigInteger.ModPow(u + 1, Prime - 2, Prime) % Prime;
        var edwards = new byte[32];
        y.TryWriteBytes(edwards, out _, isUnsigned: true);
        edwards[31] |= (byte)(signature[63] & 0x80);
        var plain = signature.ToArray();
        plain[63] &= 0x7F;
        return Ed25519.Verify(plain, 0, edwards, 0, message, 0, message.Length);
    }

    private static readonly BigInteger Prime = BigInteger.Pow(2, 255) - 19;
}
