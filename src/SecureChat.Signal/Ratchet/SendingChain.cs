using System.Security.Cryptography;
using SecureChat.Signal.Keys;

namespace SecureChat.Signal.Ratchet;

/// <summary>The direction of a session in which this side sends: one ratchet key, and a chain that steps per message.</summary>
/// <param name="ratchetKey">What the messages of the chain carry, for the other side to agree with.</param>
/// <param name="ratchetPrivateKey">32 bytes; taken over.</param>
/// <param name="chainKey">32 bytes; taken over.</param>
/// <param name="index">Messages sent on the chain so far: the counter of the next one.</param>
internal sealed class SendingChain(PublicKey ratchetKey, byte[] ratchetPrivateKey, byte[] chainKey, uint index) : IDisposable
{
    public PublicKey RatchetKey { get; } = ratchetKey;

    public uint Index { get; } = index;

    public ReadOnlySpan<byte> RatchetPrivateKey => ratchetPrivateKey;

    public ReadOnlySpan<byte> ChainKey => chainKey;

    /// <summary>A chain under a fresh ratchet key, and the root after it.</summary>
    public static (byte[] Root, SendingChain Chain) Start(ReadOnlySpan<byte> root, PublicKey remote, RandomSource random)
    {
        using var ratchet = PrivateKey.Generate(random);
        var (nextRoot, chainKey) = RatchetKdf.Root(root, ratchet.Agree(remote));
        return (nextRoot, new SendingChain(ratchet.PublicKey, ratchet.Serialize(), chainKey, 0));
    }

    /// <summary>The seed of the next message, and the chain behind it.</summary>
    public (byte[] Seed, SendingChain Next) Step()
    {
        var seed = RatchetKdf.Seed(chainKey);
        byte[] next = [.. chainKey];
        RatchetKdf.Advance(next);
        return (seed, new SendingChain(RatchetKey, ratchetPrivateKey, next, Index + 1));
    }

    /// <summary>What this side's ratchet key and another side's agree on.</summary>
    public byte[] Agree(PublicKey remote)
    {
        using var ratchet = PrivateKey.Parse(ratchetPrivateKey);
        return ratchet.Agree(remote);
    }

    /// <summary>Never the keys.</summary>
    public override string ToString() => nameof(SendingChain);

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(ratchetPrivateKey);
        CryptographicOperations.ZeroMemory(chainKey);
    }
}
