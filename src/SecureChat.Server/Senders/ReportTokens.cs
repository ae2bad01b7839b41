using System.Collections.Concurrent;
using System.Security.Cryptography;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Senders;

/// <summary>Proof, inside each envelope, that this server relayed it: what makes a report worth reading.</summary>
/// <remarks>Nothing is remembered: the token is a keyed hash of message, recipient and sender.</remarks>
internal sealed class ReportTokens(Secrets secrets)
{
    /// <summary>Bytes of a token.</summary>
    public const int Size = 16;

    private const byte Purpose = 0xA2;

    // Every message gets a token, and setting a key up costs more than the hash. As many as there are threads that write one at once.
    private readonly ConcurrentBag<IncrementalHash> _keyed = [];

    /// <param name="id">The message's 16 bytes.</param>
    /// <param name="sender">Null: sealed.</param>
    public void Write(ReadOnlySpan<byte> id, Guid recipient, Guid? sender, Span<byte> token)
    {
        Span<byte> text = stackalloc byte[1 + 16 + 16 + 16];
        text[0] = Purpose;
        id.CopyTo(text[1..]);
        recipient.TryWriteBytes(text[17..], bigEndian: true, out _);
        (sender ?? Guid.Empty).TryWriteBytes(text[33..], bigEndian: true, out _);
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        if (!_keyed.TryTake(out var keyed))
        {
            keyed = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secrets.IdentifierKey);
        }

        keyed.AppendData(text);
        keyed.GetHashAndReset(hash);
        _keyed.Add(keyed);
        hash[..Size].CopyTo(token);
    }

    public bool IsGood(ReadOnlySpan<byte> token, ReadOnlySpan<byte> id, Guid recipient, Guid? sender)
    {
        Span<byte> expected = stackalloc byte[Size];
        Write(id, recipient, sender, expected);
        return CryptographicOperations.FixedTimeEquals(token, expected);
    }
}
