using System.Collections.Immutable;
using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Groups;

/// <summary>One key of one sender: the chain that yields a seed for each message, and the key that signs.</summary>
/// <remarks>
/// Immutable: a step gives a new state that shares with the old one what did not change; so the old one is disposed only when
/// the new one is stored, or the new one by <see cref="EraseSince"/> when it is not to be.
/// </remarks>
internal sealed class SenderKeyState : IDisposable
{
    /// <summary>How far ahead of the last one a message may be.</summary>
    public const uint MaxJump = 25_000;

    /// <summary>How many seeds of messages overtaken are kept.</summary>
    public const int MaxKept = 2_000;

    private readonly uint _iteration;
    private readonly byte[] _chainKey;
    private readonly byte[]? _signingPrivate;
    private readonly ImmutableSortedDictionary<uint, byte[]> _kept;

    private SenderKeyState(
        uint chainId,
        PublicKey signingKey,
        byte[]? signingPrivate,
        uint iteration,
        byte[] chainKey,
        ImmutableSortedDictionary<uint, byte[]> kept)
    {
        (ChainId, SigningKey, _signingPrivate) = (chainId, signingKey, signingPrivate);
        (_iteration, _chainKey, _kept) = (iteration, chainKey, kept);
    }

    public uint ChainId { get; }

    public PublicKey SigningKey { get; }

    /// <summary>Whether this is one's own key, and not at its end.</summary>
    public bool CanSend => _signingPrivate is not null && _iteration < uint.MaxValue;

    /// <summary>A fresh key of one's own.</summary>
    public static SenderKeyState Generate(RandomSource random)
    {
        Span<byte> id = stackalloc byte[sizeof(uint)];
        random.Fill(id);
        using var signing = PrivateKey.Generate(random);
        var chainKey = new byte[SenderKeyDistributionMessage.ChainKeySize];
        random.Fill(chainKey);
        return new SenderKeyState(
            BitConverter.ToUInt32(id) & int.MaxValue, signing.PublicKey, signing.Serialize(), 0, chainKey,
            ImmutableSortedDictionary<uint, byte[]>.Empty);
    }

    /// <summary>Somebody else's key, as they gave it out.</summary>
    public static SenderKeyState From(SenderKeyDistributionMessage message) => new(
        message.ChainId, message.SigningKey, null, message.Iteration, [.. message.ChainKey],
        ImmutableSortedDictionary<uint, byte[]>.Empty);

    /// <summary>What gives this key out, from the next message on.</summary>
    public SenderKeyDistributionMessage Distribute(Guid distributionId) =>
        SenderKeyDistributionMessage.Create(distributionId, ChainId, _iteration, _chainKey, SigningKey);

    public PrivateKey SigningPrivate() =>
        PrivateKey.Parse(_signingPrivate ?? throw new InvalidOperationException("Not one's own key."));

    /// <summary>The next seed: of a message being sent.</summary>
    public (uint Iteration, byte[] Seed, SenderKeyState Next) Step()
    {
        byte[] chainKey = [.. _chainKey];
        RatchetKdf.Advance(chainKey);
        return (_iteration, RatchetKdf.Seed(_chainKey), With(_iteration + 1, chainKey, _kept));
    }

    /// <summary>The seed of a message being received.</summary>
    /// <exception cref="SignalException">Used already, too old, or too far ahead.</exception>
    public (byte[] Seed, SenderKeyState Next) TakeAt(uint iteration)
    {
        if (iteration < _iteration)
        {
            return _kept.TryGetValue(iteration, out var held)
                ? ([.. held], With(_iteration, _chainKey, _kept.Remove(iteration)))
                : throw new SignalException(
                    SignalError.DuplicateMessage, "The group message has been decrypted, or came far too late.");
        }

        if (iteration - _iteration > MaxJump || iteration == uint.MaxValue)
        {
            throw new SignalException(SignalError.InvalidMessage, "The group message is too far ahead.");
        }

        var kept = _kept.ToBuilder();
        byte[] chainKey = [.. _chainKey];
        for (var at = _iteration; at < iteration; at++)
        {
            if (iteration - at <= MaxKept)
            {
                kept[at] = RatchetKdf.Seed(chainKey);
            }

            RatchetKdf.Advance(chainKey);
        }

        while (kept.Count > MaxKept)
        {
            kept.Remove(kept.Keys.First());
        }

        var seed = RatchetKdf.Seed(chainKey);
        RatchetKdf.Advance(chainKey);
        return (seed, With(iteration + 1, chainKey, kept.ToImmutable()));
    }

    /// <summary>Never the keys.</summary>
    public override string ToString() => nameof(SenderKeyState);

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_signingPrivate);
        CryptographicOperations.ZeroMemory(_chainKey);
        foreach (var seed in _kept.Values)
        {
            CryptographicOperations.ZeroMemory(seed);
        }
    }

    /// <summary>Erases what a step that is not to be has added to a state; that one stays what it was.</summary>
    public void EraseSince(SenderKeyState before)
    {
        if (_chainKey != before._chainKey)
        {
            CryptographicOperations.ZeroMemory(_chainKey);
        }

        foreach (var (iteration, seed) in _kept)
        {
            if (!before._kept.ContainsKey(iteration))
            {
                CryptographicOperations.ZeroMemory(seed);
            }
        }
    }

    public void Write(ProtoWriter record, int field)
    {
        var writer = new ProtoWriter().UInt(1, ChainId).Bytes(2, SigningKey.Serialized);
        if (_signingPrivate is not null)
        {
            writer.Bytes(3, _signingPrivate);
        }

        writer.UInt(4, _iteration).Bytes(5, _chainKey);
        foreach (var (iteration, seed) in _kept)
        {
            var one = new ProtoWriter().UInt(1, iteration).Bytes(2, seed);
            writer.Bytes(6, one.Written);
            one.Erase();
        }

        record.Bytes(field, writer.Written);
        writer.Erase();
    }

    public static SenderKeyState? Read(ReadOnlySpan<byte> stored)
    {
        var reader = new ProtoReader(stored);
        (uint? chainId, uint? iteration, PublicKey? signingKey) = (null, null, null);
        byte[]? signingPrivate = null;
        byte[] chainKey = [];
        var kept = ImmutableSortedDictionary.CreateBuilder<uint, byte[]>();
        var valid = true;
        while (valid && reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    chainId = reader.UInt32();
                    break;
                case 2:
                    signingKey = PublicKey.ParseOrNull(reader.Bytes());
                    break;
                case 3:
                    signingPrivate = reader.Bytes().ToArray();
                    break;
                case 4:
                    iteration = reader.UInt32();
                    break;
                case 5:
                    chainKey = reader.Bytes().ToArray();
                    break;
                case 6:
                    valid = TryReadKept(reader.Bytes(), kept) && kept.Count <= MaxKept;
                    break;
            }
        }

        return valid && reader.IsValid && chainId is { } id && iteration is { } at
            && signingKey is not null
            && signingPrivate is null or { Length: PrivateKey.SerializedSize }
            && chainKey.Length == SenderKeyDistributionMessage.ChainKeySize
            ? new SenderKeyState(id, signingKey, signingPrivate, at, chainKey, kept.ToImmutable())
            : null;
    }

    private static bool TryReadKept(ReadOnlySpan<byte> stored, ImmutableSortedDictionary<uint, byte[]>.Builder kept)
    {
        var reader = new ProtoReader(stored);
        uint? iteration = null;
        byte[] seed = [];
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    iteration = reader.UInt32();
                    break;
                case 2:
                    seed = reader.Bytes().ToArray();
                    break;
            }
        }

        return reader.IsValid && iteration is { } at && seed.Length == HMACSHA256.HashSizeInBytes && kept.TryAdd(at, seed);
    }

    private SenderKeyState With(uint iteration, byte[] chainKey, ImmutableSortedDictionary<uint, byte[]> kept) =>
        new(ChainId, SigningKey, _signingPrivate, iteration, chainKey, kept);
}
