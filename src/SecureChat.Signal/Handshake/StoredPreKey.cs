using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Handshake;

/// <summary>The fields that stored prekeys of every kind have in common. docs/protocol/sessions.md#records.</summary>
internal sealed class StoredPreKey
{
    public const int SignatureField = 4;
    public const int CreatedAtField = 5;

    private const byte StoredVersion = 1;

    /// <summary>How records began before they had a frame: with the field of the number.</summary>
    private const byte Unframed = 1 << 3;

    private readonly byte[] _publicKey;
    private readonly byte[] _privateKey;

    private StoredPreKey(uint id, byte[] publicKey, byte[] privateKey) =>
        (Id, _publicKey, _privateKey) = (id, publicKey, privateKey);

    public uint Id { get; }

    public byte[] Signature { get; private init; } = [];

    public DateTimeOffset CreatedAt { get; private init; }

    public static ProtoWriter Write(uint id, ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> privateKey) =>
        new ProtoWriter().UInt(1, id).Bytes(2, publicKey).Bytes(3, privateKey);

    /// <summary>The record of these fields; erases the writer.</summary>
    public static byte[] Seal(ProtoWriter fields) => StoredFrame.Seal(StoredVersion, fields);

    public static StoredPreKey Parse(ReadOnlySpan<byte> stored) => stored is [Unframed, ..] ? ParseFields(stored)
        : StoredFrame.TryOpen(StoredVersion, stored, out var fields) ? ParseFields(fields)
        : throw Damaged();

    private static StoredPreKey ParseFields(ReadOnlySpan<byte> fields)
    {
        var reader = new ProtoReader(fields);
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

        if (!reader.IsValid || createdAt > (ulong)DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
        {
            CryptographicOperations.ZeroMemory(privateKey);
            throw Damaged();
        }

        return new StoredPreKey(id, publicKey, privateKey)
        {
            Signature = signature,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds((long)createdAt),
        };
    }

    /// <summary>The private key, once it is seen to belong to the public one; erases what was read.</summary>
    public PrivateKey CurvePrivateKey()
    {
        try
        {
            var key = PrivateKey.Parse(_privateKey);
            return Whole(key, key.PublicKey.Serialized);
        }
        catch (SignalException e) when (e.Error == SignalError.InvalidKey)
        {
            throw Damaged();
        }
        finally
        {
            CryptographicOperations.ZeroMemory(_privateKey);
        }
    }

    /// <summary>The key pair, likewise.</summary>
    public KyberKeyPair KyberKeyPair()
    {
        try
        {
            var pair = Keys.KyberKeyPair.Parse(_privateKey);
            return Whole(pair, pair.PublicKey.Serialized);
        }
        catch (SignalException e) when (e.Error == SignalError.InvalidKey)
        {
            throw Damaged();
        }
        finally
        {
            CryptographicOperations.ZeroMemory(_privateKey);
        }
    }

    private T Whole<T>(T key, ReadOnlySpan<byte> publicKey)
        where T : IDisposable
    {
        if (publicKey.SequenceEqual(_publicKey))
        {
            return key;
        }

        key.Dispose();
        throw Damaged();
    }

    private static SignalException Damaged() => new(SignalError.InvalidRecord, "The stored prekey is damaged.");
}
