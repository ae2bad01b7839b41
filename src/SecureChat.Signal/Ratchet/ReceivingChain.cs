using System.Buffers.Binary;
using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Ratchet;

/// <summary>
/// One chain of messages from the other side, with the seeds of those that have not come yet. Immutable.
/// docs/protocol/sessions.md#chains.
/// </summary>
internal sealed class ReceivingChain : IDisposable
{
    /// <summary>How far a message may be ahead of the one before it. It bounds the work that a forged counter causes.</summary>
    public const uint MaxJump = 25_000;

    /// <summary>Seeds kept for messages that were skipped; the oldest go first.</summary>
    public const int MaxSkipped = 2_000;

    /// <summary>A counter, big-endian, and a seed.</summary>
    private const int SkippedSize = sizeof(uint) + RatchetKdf.KeySize;

    private readonly byte[] _chainKey;
    private readonly byte[] _skipped;

    public ReceivingChain(PublicKey ratchetKey, byte[] chainKey)
        : this(ratchetKey, chainKey, 0, [])
    {
    }

    private ReceivingChain(PublicKey ratchetKey, byte[] chainKey, uint index, byte[] skipped) =>
        (RatchetKey, _chainKey, Index, _skipped) = (ratchetKey, chainKey, index, skipped);

    /// <summary>The other side's key, which names the chain.</summary>
    public PublicKey RatchetKey { get; }

    /// <summary>The counter of the next message.</summary>
    public uint Index { get; }

    /// <summary>The seed of a message, and the chain without it.</summary>
    /// <exception cref="SignalException">Its seed has been given out, or dropped; or it is too far ahead.</exception>
    public (byte[] Seed, ReceivingChain Next) Take(uint counter, StepBudget? budget = null)
    {
        if (counter < Index)
        {
            return TakeSkipped(counter);
        }

        if (counter - Index > MaxJump || counter == uint.MaxValue)
        {
            throw new SignalException(SignalError.InvalidMessage, "The message is too far ahead in its chain.");
        }

        budget?.Spend(counter - Index);
        byte[] chainKey = [.. _chainKey];
        var skipped = Skip(chainKey, counter);
        var seed = RatchetKdf.Seed(chainKey);
        RatchetKdf.Advance(chainKey);
        return (seed, new ReceivingChain(RatchetKey, chainKey, counter + 1, skipped));
    }

    public byte[] Serialize() => new ProtoWriter()
        .Bytes(1, RatchetKey.Serialized)
        .Bytes(2, _chainKey)
        .UInt(3, Index)
        .Bytes(4, _skipped)
        .ToArrayAndErase();

    public static ReceivingChain? Parse(ReadOnlySpan<byte> stored)
    {
        var reader = new ProtoReader(stored);
        PublicKey? ratchetKey = null;
        byte[] chainKey = [];
        byte[] skipped = [];
        uint index = 0;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    ratchetKey = PublicKey.ParseOrNull(reader.Bytes());
                    break;
                case 2:
                    chainKey = reader.Bytes().ToArray();
                    break;
                case 3:
                    index = reader.UInt32();
                    break;
                case 4:
                    skipped = reader.Bytes().ToArray();
                    break;
            }
        }

        return reader.IsValid
            && ratchetKey is not null
            && chainKey.Length == RatchetKdf.KeySize
            && skipped.Length % SkippedSize == 0
            && skipped.Length / SkippedSize <= MaxSkipped
                ? new ReceivingChain(ratchetKey, chainKey, index, skipped)
                : null;
    }

    /// <summary>Never the keys.</summary>
    public override string ToString() => nameof(ReceivingChain);

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_chainKey);
        CryptographicOperations.ZeroMemory(_skipped);
    }

    private (byte[] Seed, ReceivingChain Next) TakeSkipped(uint counter)
    {
        for (var at = 0; at < _skipped.Length; at += SkippedSize)
        {
            if (BinaryPrimitives.ReadUInt32BigEndian(_skipped.AsSpan(at)) == counter)
            {
                var seed = _skipped.AsSpan(at + sizeof(uint), RatchetKdf.KeySize).ToArray();
                byte[] rest = [.. _skipped.AsSpan(0, at), .. _skipped.AsSpan(at + SkippedSize)];
                return (seed, new ReceivingChain(RatchetKey, [.. _chainKey], Index, rest));
            }
        }

        throw new SignalException(SignalError.DuplicateMessage, "The message has been decrypted, or was expected long enough.");
    }

    /// <summary>Steps the key to a counter; gives all seeds that are then kept.</summary>
    private byte[] Skip(Span<byte> chainKey, uint counter)
    {
        var added = (int)Math.Min(counter - Index, MaxSkipped);
        var kept = Math.Min(_skipped.Length / SkippedSize, MaxSkipped - added);
        var skipped = new byte[(kept + added) * SkippedSize];
        _skipped.AsSpan(_skipped.Length - (kept * SkippedSize)).CopyTo(skipped);
        var free = skipped.AsSpan(kept * SkippedSize);
        for (var i = Index; i < counter; i++)
        {
            if (counter - i <= added)
            {
                BinaryPrimitives.WriteUInt32BigEndian(free, i);
                HMACSHA256.HashData(chainKey, [0x01], free.Slice(sizeof(uint), RatchetKdf.KeySize));
                free = free[SkippedSize..];
            }

            RatchetKdf.Advance(chainKey);
        }

        return skipped;
    }
}
