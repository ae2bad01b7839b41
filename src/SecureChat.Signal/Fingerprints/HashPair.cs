using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SecureChat.Signal.Fingerprints;

/// <summary>
/// Hashes two identities side by side, thousands of times: SHA-512 (FIPS 180-4) on vectors with one identity in each half.
/// </summary>
/// <remarks>What is hashed is 97 bytes, a hash and a key, so that each step is a single block. Nothing in it is secret.</remarks>
internal static class HashPair
{
    private const int HashWords = 8;
    private const int BlockWords = 16;
    private const int MessageBits = (64 + 33) * 8;

    private static ReadOnlySpan<ulong> Initial =>
    [
        0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
    ];

    private static ReadOnlySpan<ulong> Constants =>
    [
        0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
        0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
        0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
        0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
        0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
        0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
        0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
        0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
        0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
        0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
        0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
        0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
        0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
        0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
        0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
        0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
        0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
        0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
        0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
        0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
    ];

    /// <summary>Replaces each hash by SHA-512(hash || key), so many times.</summary>
    /// <param name="times">How often.</param>
    /// <param name="first">The first hash, 64 bytes.</param>
    /// <param name="firstKey">Its key, 33 bytes.</param>
    /// <param name="second">The second hash.</param>
    /// <param name="secondKey">Its key.</param>
    public static void Iterate(
        int times, Span<byte> first, ReadOnlySpan<byte> firstKey, Span<byte> second, ReadOnlySpan<byte> secondKey)
    {
        Span<Vector128<ulong>> block = stackalloc Vector128<ulong>[BlockWords];
        Span<Vector128<ulong>> schedule = stackalloc Vector128<ulong>[BlockWords];
        for (var i = 0; i < HashWords; i++)
        {
            block[i] = Vector128.Create(Word(first, i), Word(second, i));
        }

        for (var i = 0; i < 4; i++)
        {
            block[HashWords + i] = Vector128.Create(Word(firstKey, i), Word(secondKey, i));
        }

        // The key's last byte, the bit that ends the message, and its length.
        block[12] = Vector128.Create(LastWord(firstKey), LastWord(secondKey));
        (block[13], block[14], block[15]) = (default, default, Vector128.Create((ulong)MessageBits));
        for (var i = 0; i < times; i++)
        {
            block.CopyTo(schedule);
            Compress(schedule, block);
        }

        for (var i = 0; i < HashWords; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(first[(8 * i)..], block[i][0]);
            BinaryPrimitives.WriteUInt64BigEndian(second[(8 * i)..], block[i][1]);
        }
    }

    private static ulong Word(ReadOnlySpan<byte> bytes, int index) =>
        BinaryPrimitives.ReadUInt64BigEndian(bytes[(8 * index)..]);

    private static ulong LastWord(ReadOnlySpan<byte> key) => ((ulong)key[^1] << 56) | (0x80UL << 48);

    /// <summary>Hashes one block, whose words it uses up, from the beginning.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Compress(Span<Vector128<ulong>> w, Span<Vector128<ulong>> hash)
    {
        var (a, b, c, d) = (Vector128.Create(Initial[0]), Vector128.Create(Initial[1]), Vector128.Create(Initial[2]),
            Vector128.Create(Initial[3]));
        var (e, f, g, h) = (Vector128.Create(Initial[4]), Vector128.Create(Initial[5]), Vector128.Create(Initial[6]),
            Vector128.Create(Initial[7]));
        for (var round = 0; round < Constants.Length; round += 8)
        {
            Round(a, b, c, ref d, e, f, g, ref h, Word(w, round));
            Round(h, a, b, ref c, d, e, f, ref g, Word(w, round + 1));
            Round(g, h, a, ref b, c, d, e, ref f, Word(w, round + 2));
            Round(f, g, h, ref a, b, c, d, ref e, Word(w, round + 3));
            Round(e, f, g, ref h, a, b, c, ref d, Word(w, round + 4));
            Round(d, e, f, ref g, h, a, b, ref c, Word(w, round + 5));
            Round(c, d, e, ref f, g, h, a, ref b, Word(w, round + 6));
            Round(b, c, d, ref e, f, g, h, ref a, Word(w, round + 7));
        }

        hash[0] = a + Vector128.Create(Initial[0]);
        hash[1] = b + Vector128.Create(Initial[1]);
        hash[2] = c + Vector128.Create(Initial[2]);
        hash[3] = d + Vector128.Create(Initial[3]);
        hash[4] = e + Vector128.Create(Initial[4]);
        hash[5] = f + Vector128.Create(Initial[5]);
        hash[6] = g + Vector128.Create(Initial[6]);
        hash[7] = h + Vector128.Create(Initial[7]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Round(
        Vector128<ulong> a, Vector128<ulong> b, Vector128<ulong> c, ref Vector128<ulong> d,
        Vector128<ulong> e, Vector128<ulong> f, Vector128<ulong> g, ref Vector128<ulong> h, Vector128<ulong> wordAndConstant)
    {
        var t = h + wordAndConstant + ((e & f) ^ Vector128.AndNot(g, e))
            + (RotateRight(e, 14) ^ RotateRight(e, 18) ^ RotateRight(e, 41));
        d += t;
        h = t + ((a & b) | (c & (a | b))) + (RotateRight(a, 28) ^ RotateRight(a, 34) ^ RotateRight(a, 39));
    }

    /// <summary>The word of a round with the round's constant. From the seventeenth on it takes the place of an older one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Word(Span<Vector128<ulong>> w, int round)
    {
        var at = round & 15;
        if (round >= BlockWords)
        {
            var (next, last) = (w[(round + 1) & 15], w[(round + 14) & 15]);
            w[at] += w[(round + 9) & 15]
                + (RotateRight(next, 1) ^ RotateRight(next, 8) ^ (next >>> 7))
                + (RotateRight(last, 19) ^ RotateRight(last, 61) ^ (last >>> 6));
        }

        return w[at] + Vector128.Create(Constants[round]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> RotateRight(Vector128<ulong> value, [ConstantExpected] byte bits) =>
        Avx512F.VL.IsSupported ? Avx512F.VL.RotateRight(value, bits) : (value >>> bits) | (value << (64 - bits));
}
