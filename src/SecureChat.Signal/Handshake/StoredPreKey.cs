using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Handshake;

/// <summary>The fields that stored prekeys of every kind have in common.</summary>
internal sealed class StoredPreKey
{
    public const int SignatureField = 4;
    public const int CreatedAtField = 5;

    private readonly byte[] _publicKey;
    private readonly byte[] _privateKey;

    private StoredPreKey(uint id, byte[] publicKey, byte[] privateKey) =>
        (Id, _publicKey, _privateKey) = (id, publicKey, privateKey);

    public uint Id { get; }

    public byte[] Signature { get; private init; } = [];

    public DateTimeOffset CreatedAt { get; private init; }

    public static ProtoWriter Write(uint id, ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> privateKey) =>
        new ProtoWriter().UInt(1, id).Bytes(2, publicKey).Bytes(3, privateKey);

    public static StoredPreKey Parse(ReadOnlySpan<byte> stored)
    {
        var reader = new ProtoReader(stored);
        uint id = 0;
        byte[] publicKey = [];
        byte[] privateKey = [];
        byte[] signature = [];
        ulong createdAt = 0;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    id = reader.UInt32();
                    break;
                case 2:
                    publicKey = reader.Bytes().ToArray();
                    break;
                case 3:
                    privateKey = reader.Bytes().ToArray();
                    break;
                case SignatureField:
                    signature = reader.Bytes().ToArray();
                    break;
                case CreatedAtField:
                    createdAt = reader.Fixed64();
                    break;
            }
        }

        return reader.IsValid && createdAt <= (ulong)DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? new StoredPreKey(id, publicKey, privateKey)
            {
                Signature = signature,
                CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds((long)createdAt),
            }
            : throw Damaged();
    }

    /// <summary>The private key, once it is seen to belong to the public one; erases what was read.</summary>
    public PrivateKey CurvePrivateKey()
    {
        if (_privateKey.Length != PrivateKey.SerializedSize)
        {
            throw Damaged();
        }

        var key = PrivateKey.Parse(_privateKey);
        CryptographicOperations.ZeroMemory(_privateKey);
        return key.PublicKey.Serialized.SequenceEqual(_publicKey) ? key : throw Damaged();
    }

    /// <summary>The key pair, likewise.</summary>
    public KyberKeyPair KyberKeyPair()
    {
        try
        {
            var pair = Keys.KyberKeyPair.Parse(_privateKey);
            CryptographicOperations.ZeroMemory(_privateKey);
            return pair.PublicKey.Serialized.SequenceEqual(_publicKey) ? pair : throw Damaged();
        }
        catch (SignalException e) when (e.Error == SignalError.InvalidKey)
        {
            throw Damaged();
        }
    }

    private static SignalException Damaged() => new(SignalError.InvalidRecord, "The stored prekey is damaged.");
}
