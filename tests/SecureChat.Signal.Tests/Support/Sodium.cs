using System.Runtime.InteropServices;

namespace SecureChat.Signal.Tests.Support;

/// <summary>libsodium as an independent opinion on curve and scalar arithmetic.</summary>
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
#pragma warning restore SYSLIB1054, CA5392, IDE1006
}
