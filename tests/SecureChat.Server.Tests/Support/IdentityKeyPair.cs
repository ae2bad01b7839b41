using System.Numerics;
using System.Security.Cryptography;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace SecureChat.Server.Tests.Support;

/// <summary>An identity key that signs as XEdDSA, made independently of the code under test: an Ed25519 key in Montgomery form.</summary>
internal sealed class IdentityKeyPair
{
    private readonly byte[] _seed = RandomNumberGenerator.GetBytes(32);
    private readonly byte[] _edwards = new byte[32];

    public IdentityKeyPair()
    {
        Ed25519.GeneratePublicKey(_seed, 0, _edwards, 0);
        var y = new BigInteger([.. _edwards[..31], (byte)(_edwards[31] & 0x7F)], isUnsigned: true);
        var u = (1 + y) * BigInteger.ModPow(1 + Prime - y, Prime - 2, Prime) % Prime;
        PublicKey = new byte[33];
        PublicKey[0] = 0x05;
        u.TryWriteBytes(PublicKey.AsSpan(1), out _, isUnsigned: true);
    }

    /// <summary>33 bytes: type byte and u coordinate.</summary>
    public byte[] PublicKey { get; }

    public byte[] Sign(byte[] message)
    {
        var signature = new byte[64];
        Ed25519.Sign(_seed, 0, message, 0, message.Length, signature, 0);
        signature[63] |= (byte)(_edwards[31] & 0x80);
        return signature;
    }

    private static readonly BigInteger Prime = BigInteger.Pow(2, 255) - 19;
}
