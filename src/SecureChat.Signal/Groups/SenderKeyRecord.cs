using System.Collections.Immutable;
using System.Security.Cryptography;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Groups;

/// <summary>
/// The keys of one sender for one distribution: what a store keeps. docs/protocol/sender-keys.md. Disposing it erases the
/// secrets in it.
/// </summary>
/// <remarks>
/// Immutable: each use gives the record to be stored next, and a use that fails changes nothing. The next one shares with the
/// one before what did not change; so that one is disposed only when the next one is stored.
/// </remarks>
public sealed class SenderKeyRecord : IDisposable
{
    /// <summary>The most keys that are kept: messages under an older one may still be on their way.</summary>
    public const int MaxStates = 5;

    private const byte StoredVersion = 1;
    private const int IvAndKeySize = AesCbc.IvSize + AesCbc.KeySize;
    private readonly ImmutableArray<SenderKeyState> _states;

    private SenderKeyRecord(ImmutableArray<SenderKeyState> states) => _states = states;

    /// <summary>A record without keys.</summary>
    public static SenderKeyRecord Empty { get; } = new([]);

    /// <summary>Whether one can send with it: it begins with a key of one's own.</summary>
    public bool CanSend => !_states.IsEmpty && _states[0].CanSend;

    /// <summary>Reads a stored record.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidRecord"/>.</exception>
    public static SenderKeyRecord Parse(ReadOnlySpan<byte> stored)
    {
        if (!StoredFrame.TryOpen(StoredVersion, stored, out var body))
        {
            throw Unreadable();
        }

        var reader = new ProtoReader(body);
        var states = ImmutableArray.CreateBuilder<SenderKeyState>();
        while (reader.Next())
        {
            if (reader.Field != 1 || states.Count == MaxStates)
            {
                throw Unreadable();
            }

            states.Add(SenderKeyState.Read(reader.Bytes()) ?? throw Unreadable());
        }

        return reader.IsValid ? new SenderKeyRecord(states.ToImmutable()) : throw Unreadable();
    }

    /// <summary>The record as bytes. Contains the keys.</summary>
    public byte[] Serialize()
    {
        var writer = new ProtoWriter();
        foreach (var state in _states)
        {
            state.Write(writer, 1);
        }

        return StoredFrame.Seal(StoredVersion, writer);
    }

    /// <summary>Never a key.</summary>
    public override string ToString() => nameof(SenderKeyRecord);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var state in _states)
        {
            state.Dispose();
        }
    }

    /// <summary>What gives one's own key out, for the caller to dispose; makes the key if there is none yet.</summary>
    public (SenderKeyRecord Next, SenderKeyDistributionMessage Message) Distribute(Guid distributionId, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var record = CanSend ? this : new SenderKeyRecord([SenderKeyState.Generate(random)]);
        return (record, record._states[0].Distribute(distributionId));
    }

    /// <summary>Takes in somebody else's key. One that is known already stays where it is.</summary>
    public SenderKeyRecord Add(SenderKeyDistributionMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        foreach (var state in _states)
        {
            if (state.ChainId == message.ChainId && state.SigningKey.Equals(message.SigningKey))
            {
                return this;
            }
        }

        var others = _states.Where(state => state.ChainId != message.ChainId).Take(MaxStates - 1);
        return new SenderKeyRecord([SenderKeyState.From(message), .. others]);
    }

    /// <summary>Encrypts for the group.</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.NoSenderKey"/>: <see cref="Distribute"/> comes first.
    /// </exception>
    public (SenderKeyRecord Next, byte[] Message) Encrypt(
        Guid distributionId, ReadOnlySpan<byte> plaintext, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        if (!CanSend)
        {
            throw new SignalException(SignalError.NoSenderKey, "There is no key of one's own for this group yet.");
        }

        var state = _states[0];
        var (iteration, seed, next) = state.Step();
        var keys = Keys(seed);
        var ciphertext = AesCbc.Encrypt(keys.AsSpan(AesCbc.IvSize), keys.AsSpan(0, AesCbc.IvSize), plaintext);
        CryptographicOperations.ZeroMemory(keys);
        using var signing = state.SigningPrivate();
        var message = SenderKeyMessage.Create(distributionId, state.ChainId, iteration, ciphertext, signing, random);
        return (new SenderKeyRecord(_states.SetItem(0, next)), message);
    }

    /// <summary>Decrypts a message of the sender whose record this is.</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.NoSenderKey"/>: the key has not been given out to us;
    /// <see cref="SignalError.InvalidSignature"/>: somebody else made the message;
    /// <see cref="SignalError.DuplicateMessage"/>: decrypted before, or far too late;
    /// <see cref="SignalError.InvalidMessage"/>: malformed, or too far ahead.
    /// </exception>
    public (SenderKeyRecord Next, byte[] Plaintext) Decrypt(ReadOnlySpan<byte> message) =>
        Decrypt(SenderKeyMessage.Parse(message));

    internal (SenderKeyRecord Next, byte[] Plaintext) Decrypt(SenderKeyMessage message)
    {
        var at = IndexOf(message.ChainId);
        if (at < 0)
        {
            throw new SignalException(SignalError.NoSenderKey, "The sender's key for this group is not known.");
        }

        var state = _states[at];
        if (!message.IsSignedBy(state.SigningKey))
        {
            throw new SignalException(SignalError.InvalidSignature, "The group message is not its sender's.");
        }

        var (seed, next) = state.TakeAt(message.Iteration);
        var keys = Keys(seed);
        var plaintext = AesCbc.Decrypt(keys.AsSpan(AesCbc.IvSize), keys.AsSpan(0, AesCbc.IvSize), message.Ciphertext);
        CryptographicOperations.ZeroMemory(keys);
        if (plaintext is null)
        {
            next.EraseSince(state);
            throw SenderKeyMessage.Malformed();
        }

        return (new SenderKeyRecord(_states.SetItem(at, next)), plaintext);
    }

    private int IndexOf(uint chainId)
    {
        for (var i = 0; i < _states.Length; i++)
        {
            if (_states[i].ChainId == chainId)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>What one message is encrypted with. Erases the seed.</summary>
    internal static byte[] Keys(byte[] seed)
    {
        var keys = Hkdf.Derive([], seed, "WhisperGroup"u8, IvAndKeySize);
        CryptographicOperations.ZeroMemory(seed);
        return keys;
    }

    private static SignalException Unreadable() =>
        new(SignalError.InvalidRecord, "The stored sender keys cannot be read.");
}
