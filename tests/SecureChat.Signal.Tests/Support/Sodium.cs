using System.Runtime.InteropServices;

namespace SecureChat.Signal.Tests.Support;

/// <summary>libsodium as an independent opinion on curves, scalars and ML-KEM-768.</summary>
internal static class Sodium
{
    /// <summary>scalar * B of Ed25519, the scalar taken as it is.</summary>
    public static byte[] BaseMultiple(byte[] scalar)
    {
        var encoded = new byte[32];
        Assert.Equal(0, crypto_scalarmult_ed25519_base_noclamp(encoded, scalar));
        return encoded;
    }

    public static byte[] Reduce(byte[] wide)
    {
        var reduced = new byte[32];
        crypto_core_ed25519_scalar_reduce(reduced, wide);
        return reduced;
    }

    public static byte[] MultiplyAdd(byte[] a, byte[] b, byte[] c)
    {
        var (product, sum) = (new byte[32], new byte[32]);
        crypto_core_ed25519_scalar_mul(product, a, b);
        crypto_core_ed25519_scalar_add(sum, product, c);
        return sum;
    }

    /// <summary>The X25519 public key of a private key.</summary>
    public static byte[] PublicKey(byte[] scalar)
    {
        var publicKey = new byte[32];
        Assert.Equal(0, crypto_scalarmult_curve25519_base(publicKey, scalar));
        return publicKey;
    }

    /// <summary>What X25519 makes of a private key and a point; null when that is zero.</summary>
    public static byte[]? Agree(byte[] scalar, byte[] point)
    {
        var secret = new byte[32];
        return crypto_scalarmult_curve25519(secret, scalar, point) == 0 ? secret : null;
    }

    /// <summary>-scalar modulo the order, of a reduced scalar.</summary>
    public static byte[] Negate(byte[] scalar)
    {
        var negated = new byte[32];
        crypto_core_ed25519_scalar_negate(negated, scalar);
        return negated;
    }

    /// <summary>Whether this is the canonical encoding of a point of the prime-order group, and not the neutral element.</summary>
    public static bool IsPointOfPrimeOrder(byte[] edwards) => crypto_core_ed25519_is_valid_point(edwards) == 1;

    /// <summary>Whether an Ed25519 signature is good.</summary>
    public static bool Verify(byte[] edwardsKey, byte[] message, byte[] signature) =>
        crypto_sign_ed25519_verify_detached(signature, message, (ulong)message.Length, edwardsKey) == 0;

    /// <summary>scalar * point of ristretto255, encoded; of the neutral element, zeros.</summary>
    public static byte[] RistrettoMultiple(byte[] scalar, byte[] point)
    {
        var multiple = new byte[32];
        _ = crypto_scalarmult_ristretto255(multiple, scalar, point);
        return multiple;
    }

    public static byte[] RistrettoSum(byte[] a, byte[] b)
    {
        var sum = new byte[32];
        Assert.Equal(0, crypto_core_ristretto255_add(sum, a, b));
        return sum;
    }

    /// <summary>The ML-KEM-768 key pair of a seed, d and z.</summary>
    public static (byte[] PublicKey, byte[] SecretKey) KemKeyPair(byte[] seed)
    {
        var (publicKey, secretKey) = (new byte[1184], new byte[2400]);
        Assert.Equal(0, crypto_kem_mlkem768_seed_keypair(publicKey, secretKey, seed));
        return (publicKey, secretKey);
    }

    public static (byte[] Ciphertext, byte[] Secret) KemEncapsulate(byte[] publicKey, byte[] message)
    {
        var (ciphertext, secret) = (new byte[1088], new byte[32]);
        Assert.Equal(0, crypto_kem_mlkem768_enc_deterministic(ciphertext, secret, publicKey, message));
        return (ciphertext, secret);
    }

    public static byte[] KemDecapsulate(byte[] secretKey, byte[] ciphertext)
    {
        var secret = new byte[32];
        Assert.Equal(0, crypto_kem_mlkem768_dec(secret, ciphertext, secretKey));
        return secret;
    }

#pragma warning disable SYSLIB1054, CA5392, IDE1006 // Plain declarations of a test oracle.
    [DllImport("libsodium")]
    private static extern int crypto_scalarmult_curve25519_base(byte[] q, byte[] n);

    [DllImport("libsodium")]
    private static extern int crypto_scalarmult_curve25519(byte[] q, byte[] n, byte[] p);

    [DllImport("libsodium")]
    private static extern int crypto_scalarmult_ed25519_base_noclamp(byte[] q, byte[] n);

    [DllImport("libsodium")]
    private static extern void crypto_core_ed25519_scalar_reduce(byte[] r, byte[] s);

    [DllImport("libsodium")]
    private static extern void crypto_core_ed25519_scalar_mul(byte[] z, byte[] x, byte[] y);

    [DllImport("libsodium")]
    private static extern void crypto_core_ed25519_scalar_add(byte[] z, byte[] x, byte[] y);

    [DllImport("libsodium")]
    private static extern void crypto_core_ed25519_scalar_negate(byte[] neg, byte[] s);

    [DllImport("libsodium")]
    private static extern int crypto_core_ed25519_is_valid_point(byte[] p);

    [DllImport("libsodium")]
    private static extern int crypto_sign_ed25519_verify_detached(byte[] sig, byte[] m, ulong mlen, byte[] pk);

    [DllImport("libsodium")]
    private static extern int crypto_scalarmult_ristretto255(byte[] q, byte[] n, byte[] p);

    [DllImport("libsodium")]
    private static extern int crypto_core_ristretto255_add(byte[] r, byte[] p, byte[] q);

    [DllImport("libsodium")]
    private static extern int crypto_kem_mlkem768_seed_keypair(byte[] pk, byte[] sk, byte[] seed);

    [DllImport("libsodium")]
    private static extern int crypto_kem_mlkem768_enc_deterministic(byte[] ct, byte[] ss, byte[] pk, byte[] seed);

    [DllImport("libsodium")]
    private static extern int crypto_kem_mlkem768_dec(byte[] ss, byte[] ct, byte[] sk);
#pragma warning restore SYSLIB1054, CA5392, IDE1006
}
