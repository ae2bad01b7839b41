using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using SecureChat.Signal.Ratchet;

namespace SecureChat.Signal.Spqr;

/// <summary>One direction of one epoch: each step yields the key of one message. Immutable.</summary>
/// <remarks>
/// Keys of messages that have been overtaken are kept for <see cref="KeptBehind"/> steps and handed out once. A jump ahead
/// is bounded, because it is made before the message has been authenticated.
/// </remarks>
internal sealed class SpqrChain
{
    /// <summary>How far ahead of the last key a message may be.</summary>
    public const uint MaxJump = 25_000;

    /// <summary>How far behind the last key an unused key is kept.</summary>
    public const uint KeptBehind = 2_000;

    private readonly uint _counter;
    private readonly byte[] _next;
    private readonly ImmutableSortedDictionary<uint, byte[]> _kept;

    public SpqrChain(byte[] key)
        : this(0, key, ImmutableSortedDictionary<uint, byte[]>.Empty)
    {
    }

    private SpqrChain(uint counter, byte[] next, ImmutableSortedDictionary<uint, byte[]> kept) =>
        (_counter, _next, _kept) = (counter, next, kept);

    /// <summary>The next key: of a message being sent.</summary>
    public (uint Index, byte[] Key, SpqrChain Next) Step()
    {
        var (next, key) = Derive(_next, _counter + 1);
        return (_counter + 1, key, new SpqrChain(_counter + 1, next, _kept));
    }

    /// <summary>The key at a position: of a message being received.</summary>
    /// <exception cref="SignalException">Used already, too old, or too far ahead.</exception>
    public (byte[] Key, SpqrChain Next) TakeAt(uint index, StepBudget? budget = null)
    {
        if (index <= _counter)
        {
            return _kept.TryGetValue(index, out var held)
                ? ([.. held], new SpqrChain(_counter, _next, _kept.Remove(index)))
                : throw SpqrRefusal.KeyGone();
        }

        if (index - _counter > MaxJump)
        {
            throw SpqrRefusal.TooFarAhead();
        }

        budget?.Spend(index - _counter);
        var kept = _kept.ToBuilder();
        var next = _next;
        for (var at = _counter + 1; at < index; at++)
        {
            (next, var skipped) = Derive(next, at);
            if (IsRecent(at, index))
            {
                kept[at] = skipped;
            }
        }

        foreach (var old in _kept.Keys.TakeWhile(position => !IsRecent(position, index)))
        {
            kept.Remove(old);
        }

        (next, var key) = Derive(next, index);
        return (key, new SpqrChain(index, next, kept.ToImmutable()));
    }

    public void Erase()
    {
        CryptographicOperations.ZeroMemory(_next);
        foreach (var key in _kept.Values)
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    public void Write(SpqrWriter writer)
    {
        writer.UInt32(_counter);
        writer.Bytes(_next);
        writer.UInt16((ushort)_kept.Count);
        foreach (var (index, key) in _kept)
        {
            writer.UInt32(index);
            writer.Bytes(key);
        }
    }

    public static SpqrChain Read(ref SpqrReader reader)
    {
        var counter = reader.UInt32();
        var next = reader.Bytes(SpqrKdf.KeySize);
        var count = reader.UInt16();
        reader.Require(counter <= int.MaxValue && count <= KeptBehind);
        var kept = ImmutableSortedDictionary.CreateBuilder<uint, byte[]>();
        for (var i = 0; i < count && reader.IsValid; i++)
        {
            var index = reader.UInt32();
            reader.Require(index >= 1 && index < counter && IsRecent(index, counter) && !kept.ContainsKey(index));
            kept[index] = reader.Bytes(SpqrKdf.KeySize);
        }

        return new SpqrChain(counter, next, kept.ToImmutable());
    }

    private static bool IsRecent(uint index, uint counter) => counter - index <= KeptBehind;

    private static (byte[] Next, byte[] Key) Derive(byte[] chainKey, uint index)
    {
        ReadOnlySpan<byte> label = "Signal PQ Ratchet V1 Chain Next"u8;
        Span<byte> info = stackalloc byte[sizeof(uint) + label.Length];
        BinaryPrimitives.WriteUInt32BigEndian(info, index);
        label.CopyTo(info[sizeof(uint)..]);
        Span<byte> both = stackalloc byte[2 * SpqrKdf.KeySize];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, chainKey, both, salt: [], info);
        var next = both[..SpqrKdf.KeySize].ToArray();
        var key = both[SpqrKdf.KeySize..].ToArray();
        CryptographicOperations.ZeroMemory(both);
        return (next, key);
    }
}
