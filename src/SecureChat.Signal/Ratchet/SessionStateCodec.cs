using System.Collections.Immutable;
using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Spqr;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Ratchet;

/// <summary>How a session is stored: protobuf, local to this library, inside a <see cref="SessionRecord"/>.</summary>
internal static class SessionStateCodec
{
    private const int BaseKeyField = 5;

    public static byte[] Serialize(SessionState state)
    {
        var writer = new ProtoWriter()
            .Bytes(1, state.LocalIdentity.Serialized)
            .Bytes(2, state.RemoteIdentity.Serialized)
            .UInt(3, state.LocalRegistrationId)
            .UInt(4, state.RemoteRegistrationId)
            .Bytes(BaseKeyField, state.BaseKey.Serialized)
            .Bytes(6, state.RootKey)
            .Bytes(7, state.Sending.RatchetKey.Serialized)
            .Bytes(8, state.Sending.RatchetPrivateKey)
            .Bytes(9, state.Sending.ChainKey)
            .UInt(10, state.Sending.Index)
            .UInt(11, state.PreviousCounter);
        foreach (var chain in state.Receiving)
        {
            var stored = chain.Serialize();
            writer.Bytes(12, stored);
            CryptographicOperations.ZeroMemory(stored);
        }

        var postQuantum = state.PostQuantum.Serialize();
        writer.Bytes(13, postQuantum);
        CryptographicOperations.ZeroMemory(postQuantum);
        if (state.Pending is not null)
        {
            writer.Bytes(14, state.Pending.Serialize());
        }

        return (state.Opening is null ? writer : writer.Bytes(15, state.Opening)).ToArrayAndErase();
    }

    /// <summary>The key that names a stored session, without reading the rest of it.</summary>
    public static bool IsNamed(ReadOnlySpan<byte> stored, PublicKey baseKey)
    {
        var reader = new ProtoReader(stored);
        while (reader.Next())
        {
            if (reader.Field == BaseKeyField)
            {
                return reader.Bytes().SequenceEqual(baseKey.Serialized);
            }
        }

        return false;
    }

    /// <exception cref="SignalException"><see cref="SignalError.InvalidRecord"/>.</exception>
    public static SessionState Parse(ReadOnlySpan<byte> stored)
    {
        var reader = new ProtoReader(stored);
        var fields = new Fields();
        while (reader.Next())
        {
            fields.Take(ref reader);
        }

        return reader.IsValid && fields.Build() is { } state
            ? state
            : throw new SignalException(SignalError.InvalidRecord, "The stored session is damaged.");
    }

    private sealed class Fields
    {
        private readonly PublicKey?[] _keys = new PublicKey?[8];
        private readonly uint[] _numbers = new uint[12];
        private readonly byte[][] _secrets = [[], [], [], []];
        private readonly ImmutableArray<ReceivingChain>.Builder _chains = ImmutableArray.CreateBuilder<ReceivingChain>();
        private SpqrState? _postQuantum;
        private PendingHandshake? _pending;
        private byte[]? _opening;
        private bool _damaged;

        public void Take(ref ProtoReader reader)
        {
            switch (reader.Field)
            {
                case 1 or 2 or BaseKeyField or 7:
                    _keys[reader.Field] = PublicKey.ParseOrNull(reader.Bytes());
                    break;
                case 3 or 4 or 10 or 11:
                    _numbers[reader.Field] = reader.UInt32();
                    break;
                case 6 or 8 or 9:
                    _secrets[reader.Field - 6] = reader.Bytes().ToArray();
                    break;
                case 12:
                    if (ReceivingChain.Parse(reader.Bytes()) is { } chain)
                    {
                        _chains.Add(chain);
                        break;
                    }

                    _damaged = true;
                    break;
                case 13:
                    _damaged |= !SpqrState.TryParse(reader.Bytes(), out _postQuantum);
                    break;
                case 14:
                    _pending = PendingHandshake.Parse(reader.Bytes());
                    _damaged |= _pending is null;
                    break;
                case 15:
                    _opening = reader.Bytes().ToArray();
                    break;
            }
        }

        public SessionState? Build() =>
            !_damaged
            && _keys is [_, { } local, { } remote, _, _, { } baseKey, _, { } ratchetKey]
            && _postQuantum is not null
            && _chains.Count <= SessionState.MaxReceivingChains
            && Array.TrueForAll([0, 2, 3], i => _secrets[i].Length == RatchetKdf.KeySize)
                ? new SessionState
                {
                    LocalIdentity = local,
                    RemoteIdentity = remote,
                    LocalRegistrationId = _numbers[3],
                    RemoteRegistrationId = _numbers[4],
                    BaseKey = baseKey,
                    RootKey = _secrets[0],
                    Sending = new SendingChain(ratchetKey, _secrets[2], _secrets[3], _numbers[10]),
                    PreviousCounter = _numbers[11],
                    Receiving = _chains.ToImmutable(),
                    PostQuantum = _postQuantum,
                    Pending = _pending,
                    Opening = _opening,
                }
                : null;
    }
}
