using System.Security.Cryptography;
using System.Text.Json;
using CsCheck;
using SecureChat.Signal.Media;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Tests.Sessions;

namespace SecureChat.Signal.Tests.Media;

/// <summary>Encrypted files: what goes in comes out, and nothing else does.</summary>
public sealed class MediaTests
{
    private const int Segment = MediaFormat.EncryptedSegmentSize;

    public static TheoryData<int> Lengths => [1, 4095, 4096, 4097, 65535, 65536, 65537, 131072, 200_000, 1_000_000];

    [Fact]
    public void Files_are_made_as_the_vectors_have_them()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Transcript.Folder, "..", "media", "files.json")));
        var tests = json.RootElement.GetProperty("tests").EnumerateArray().ToList();
        Assert.NotEmpty(tests);

        foreach (var test in tests)
        {
            var content = new byte[test.GetProperty("contentLength").GetInt32()];
            for (var i = 0; i < content.Length; i++)
            {
                content[i] = (byte)((7 * i) + (i / 256));
            }

            var file = Encrypt(test.GetProperty("mediaKey").GetBytesFromBase64(), content);

            Assert.Equal(test.GetProperty("fileLength").GetInt32(), file.Length);
            Assert.Equal(test.GetProperty("header").GetBytesFromBase64(), file[..32]);
            Assert.Equal(test.GetProperty("firstBytes").GetBytesFromBase64(), file[32..96]);
            Assert.Equal(test.GetProperty("sha256").GetBytesFromBase64(), SHA256.HashData(file));
        }
    }

    [Theory, MemberData(nameof(Lengths))]
    public void What_was_encrypted_is_decrypted(int length)
    {
        var (key, content) = (MediaEncryption.NewKey(RandomSource.System), RandomNumberGenerator.GetBytes(length));

        var file = Encrypt(key, content);

        Assert.Equal(MediaFormat.FileLength(length), file.Length);
        Assert.Equal(content, Decrypt(key, file, length));
    }

    [Fact]
    public void Padding_costs_an_eighth_at_most_and_leaves_eight_sizes_between_two_powers_of_two() => Gen.Int[1, MediaFormat.MaxContentLength].Sample(length =>
    {
        var padded = MediaFormat.PaddedLength(length);

        Assert.True(padded >= length && padded >= 4096);
        Assert.True(length <= 4096 || padded - length <= length / 8);
        Assert.Equal(padded, MediaFormat.PaddedLength(padded));
        Assert.True(padded / (1L << (int)Math.Max(0, Math.Log2(padded) - 3)) is >= 8 and <= 16);
    });

    [Fact]
    public void The_longest_content_makes_a_file_that_the_relay_takes_and_no_longer_one_is_made()
    {
        Assert.InRange(MediaFormat.FileLength(MediaFormat.MaxContentLength), MediaFormat.MaxContentLength, 100 << 20);
        Assert.Throws<ArgumentOutOfRangeException>(() => MediaFormat.FileLength(MediaFormat.MaxContentLength + 1L));
        Assert.Throws<ArgumentOutOfRangeException>(() => MediaFormat.FileLength(0));
        Assert.Throws<SignalException>(() => new MediaDecryption(new byte[32], MediaFormat.MaxContentLength + 1L));
        Assert.Throws<SignalException>(() => new MediaDecryption(new byte[32], -1));
        Assert.Throws<SignalException>(() => new MediaEncryption(new byte[31], 1));
    }

    [Fact]
    public void No_bit_of_a_file_can_be_changed()
    {
        var (key, content) = (MediaEncryption.NewKey(RandomSource.System), RandomNumberGenerator.GetBytes(70_000));
        var file = Encrypt(key, content);
        var places = Enumerable.Range(0, 40).Concat([32 + Segment - 1, 32 + Segment, file.Length - 1])
            .Concat(Enumerable.Range(0, 100).Select(_ => RandomNumberGenerator.GetInt32(file.Length)));

        Assert.All(places, place =>
        {
            byte[] changed = [.. file];
            changed[place] ^= (byte)(1 << (place % 8));
            Assert.Throws<SignalException>(() => Decrypt(key, changed, content.Length));
        });
    }

    [Fact]
    public void Segments_cannot_be_left_out_repeated_put_in_another_order_or_cut_off()
    {
        var (key, content) = (MediaEncryption.NewKey(RandomSource.System), new byte[4 * MediaFormat.SegmentSize]);
        var file = Encrypt(key, content);
        byte[] Part(int number) => file[(32 + (number * Segment))..(32 + ((number + 1) * Segment))];
        byte[] header = file[..32];

        byte[][] altered =
        [
            [.. header, .. Part(1), .. Part(0), .. Part(2), .. Part(3)],
            [.. header, .. Part(0), .. Part(0), .. Part(2), .. Part(3)],
            [.. header, .. Part(0), .. Part(1), .. Part(3), .. Part(3)],
            [.. header, .. Part(0), .. Part(1), .. Part(2), .. Part(2)],
        ];

        Assert.All(altered, one => Assert.Throws<SignalException>(() => Decrypt(key, one, content.Length)));

        // Cut at a segment's end, with a length that would fit: what was not the last segment does not pass for it.
        Assert.Throws<SignalException>(() => Decrypt(key, file[..^Segment], content.Length - MediaFormat.SegmentSize));
        using var decryption = new MediaDecryption(key, content.Length);
        decryption.ReadHeader(header);
        decryption.DecryptNext(Part(0), new byte[MediaFormat.SegmentSize]);
        Assert.False(decryption.IsDone);
        Assert.Throws<SignalException>(() => decryption.DecryptNext(Part(1).AsSpan(..^1), new byte[MediaFormat.SegmentSize]));
    }

    [Fact]
    public void A_file_opens_with_its_own_key_alone_and_in_order()
    {
        var content = new byte[5000];
        var file = Encrypt(MediaEncryption.NewKey(RandomSource.System), content);

        Assert.Throws<SignalException>(() => Decrypt(MediaEncryption.NewKey(RandomSource.System), file, content.Length));
        using var decryption = new MediaDecryption(new byte[32], 5000);
        Assert.Throws<InvalidOperationException>(() => decryption.DecryptNext(file, new byte[5000]));
        using var encryption = new MediaEncryption(new byte[32], 5000);
        Assert.Throws<ArgumentOutOfRangeException>(() => encryption.EncryptNext(new byte[4999], new byte[Segment]));
        encryption.EncryptNext(content, new byte[Segment]);
        Assert.True(encryption.IsDone);
        Assert.Throws<InvalidOperationException>(() => encryption.EncryptNext([], new byte[Segment]));
    }

    [Fact]
    public void The_browser_s_cipher_and_the_platform_s_are_one()
    {
        var (key, nonce, text) = (RandomNumberGenerator.GetBytes(32), RandomNumberGenerator.GetBytes(12), RandomNumberGenerator.GetBytes(1000));
        using var platform = new SegmentCipher(key);
        using var managed = new SegmentCipher(key, managed: true);
        var (one, other, back) = (new byte[1016], new byte[1016], new byte[1000]);

        platform.Encrypt(nonce, text, one);
        managed.Encrypt(nonce, text, other);

        Assert.Equal(one, other);
        Assert.True(managed.Decrypt(nonce, one, back));
        Assert.Equal(text, back);
        one[5] ^= 1;
        Assert.False(managed.Decrypt(nonce, one, back));
        Assert.False(platform.Decrypt(nonce, one, back));
    }

    private static byte[] Encrypt(byte[] key, byte[] content)
    {
        using var encryption = new MediaEncryption(key, content.Length);
        var file = new byte[MediaFormat.FileLength(content.Length)];
        encryption.WriteHeader(file);
        var (at, from) = (MediaFormat.HeaderSize, 0);
        while (!encryption.IsDone)
        {
            var next = encryption.NextContent;
            at += encryption.EncryptNext(content.AsSpan(from, next), file.AsSpan(at));
            from += next;
        }

        Assert.Equal((file.Length, content.Length), (at, from));
        return file;
    }

    private static byte[] Decrypt(byte[] key, byte[] file, int length)
    {
        using var decryption = new MediaDecryption(key, length);
        decryption.ReadHeader(file.AsSpan(0, MediaFormat.HeaderSize));
        var content = new byte[length + MediaFormat.SegmentSize];
        var (at, to) = (MediaFormat.HeaderSize, 0);
        while (!decryption.IsDone)
        {
            var segment = file.AsSpan(at, Math.Min(decryption.NextSegment, file.Length - at));
            to += decryption.DecryptNext(segment, content.AsSpan(to));
            at += segment.Length;
        }

        Assert.Equal(file.Length, at);
        return content[..to];
    }
}
