using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Messages;

/// <summary>
/// Makes every content one of eight sizes before it is encrypted, so that its length says next to nothing (attack M14).
/// Spec: docs/protocol/content.md#padding.
/// </summary>
public static class ContentPadding
{
    private const byte Boundary = 0x80;

    /// <summary>The eight sizes, in bytes. The largest leaves room for what the layers of encryption add below 96 KiB.</summary>
    public static ReadOnlySpan<int> Sizes => [256, 512, 1024, 2048, 4096, 16384, 65536, MaxSize];

    /// <summary>The largest padded content, in bytes (88 KiB); a content has at least one byte less.</summary>
    public const int MaxSize = 88 * 1024;

    /// <summary>What is put beside a body on its way, in bytes: its order, keys, a list of devices, the point of a group, a wrapper for one's own devices.</summary>
    private const int Extras = 2048;

    /// <summary>Refuses a content that could not be sent.</summary>
    /// <exception cref="ArgumentException">It is larger than 86 KiB.</exception>
    public static void RequireRoom(Content content)
    {
        ArgumentNullException.ThrowIfNull(content);
        if (content.CalculateSize() is var length && length >= MaxSize - Extras)
        {
            throw new ArgumentException($"A message has less than {MaxSize - Extras} bytes; this one has {length}.");
        }
    }

    /// <summary>The content as it is encrypted: its bytes, 80, and zeros up to the next size.</summary>
    /// <exception cref="ArgumentException">It is larger than <see cref="MaxSize"/> less one byte.</exception>
    public static byte[] Pad(Content content)
    {
        ArgumentNullException.ThrowIfNull(content);
        var length = content.CalculateSize();
        var padded = new byte[SizeFor(length)];
        content.WriteTo(padded.AsSpan(0, length));
        padded[length] = Boundary;
        return padded;
    }

    /// <summary>Reads a decrypted content; erases <paramref name="padded"/>.</summary>
    /// <returns>Null: not padded as it must be, not a content, or one whose id is not 16 bytes.</returns>
    public static Content? TryUnpad(byte[] padded)
    {
        ArgumentNullException.ThrowIfNull(padded);
        try
        {
            var trimmed = padded.AsSpan().TrimEnd((byte)0);
            if (!Sizes.Contains(padded.Length) || trimmed.IsEmpty || trimmed[^1] != Boundary)
            {
                return null;
            }

            var content = Content.Parser.ParseFrom(trimmed[..^1]);
            return content.Id.Length == IdSize ? content : null;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(padded);
        }
    }

    private static int SizeFor(int length)
    {
        foreach (var size in Sizes)
        {
            if (length < size)
            {
                return size;
            }
        }

        throw new ArgumentException($"A content has at most {MaxSize - 1} bytes; this one has {length}.");
    }

    private const int IdSize = 16;
}
