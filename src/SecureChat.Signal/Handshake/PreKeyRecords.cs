using System.Security.Cryptography;
using SecureChat.Signal.Keys;

namespace SecureChat.Signal.Handshake;

/// <summary>A one-time prekey with its private half, to be kept until one message has used it.</summary>
/// <param name="id">The number by which a message names it.</param>
/// <param name="privateKey">Taken over.</param>
public sealed class PreKeyRecord(uint id, PrivateKey privateKey) : IDisposable
{
    /// <summary>The number by which a message names it.</summary>
    public uint Id => id;

    /// <summary>The key.</summary>
    public PrivateKey PrivateKey => privateKey;

    /// <summary>A fresh prekey.</summary>
    public static PreKeyRecord Generate(uint id, RandomSource random) => new(id, PrivateKey.Generate(random));

    /// <summary>Reads a stored prekey.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidRecord"/>.</exception>
    public static PreKeyRecord Parse(ReadOnlySpan<byte> stored)
    {
        var fields = StoredPreKey.Parse(stored);
        return new PreKeyRecord(fields.Id, fields.CurvePrivateKey());
    }

    /// <summary>The record as bytes, to be stored where only its owner can read it. Contains the secret.</summary>
    public byte[] Serialize()
    {
        var secret = privateKey.Serialize();
        var stored = StoredPreKey.Seal(StoredPreKey.Write(id, privateKey.PublicKey.Serialized, secret));
        CryptographicOperations.ZeroMemory(secret);
        return stored;
    }

    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(PreKeyRecord);

    /// <inheritdoc/>
    public void Dispose() => privateKey.Dispose();
}

/// <summary>A signed prekey with its private half, to be kept some days beyond its successor's publication.</summary>
/// <param name="id">The number by which a message names it.</param>
/// <param name="createdAt">When it was made, for the host to tell when it is due.</param>
/// <param name="privateKey">Taken over.</param>
/// <param name="signature">64 bytes over the serialised public key.</param>
public sealed class SignedPreKeyRecord(uint id, DateTimeOffset createdAt, PrivateKey privateKey, ReadOnlyMemory<byte> signature)
    : IDisposable
{
    /// <summary>The number by which a message names it.</summary>
    public uint Id => id;

    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt => createdAt;

    /// <summary>The key.</summary>
    public PrivateKey PrivateKey => privateKey;

    /// <summary>The identity's signature over the serialised public key.</summary>
    public ReadOnlyMemory<byte> Signature => signature;

    /// <summary>A fresh prekey, signed by an identity.</summary>
    public static SignedPreKeyRecord Generate(uint id, IdentityKeyPair identity, DateTimeOffset now, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(identity);
        var key = PrivateKey.Generate(random);
        return new SignedPreKeyRecord(id, now, key, identity.PrivateKey.Sign(key.PublicKey.Serialized, random));
    }

    /// <summary>Reads a stored prekey.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidRecord"/>.</exception>
    public static SignedPreKeyRecord Parse(ReadOnlySpan<byte> stored)
    {
        var fields = StoredPreKey.Parse(stored);
        return new SignedPreKeyRecord(fields.Id, fields.CreatedAt, fields.CurvePrivateKey(), fields.Signature);
    }

    /// <summary>The record as bytes, to be stored where only its owner can read it. Contains the secret.</summary>
    public byte[] Serialize()
    {
        var secret = privateKey.Serialize();
        var stored = StoredPreKey.Seal(StoredPreKey.Write(id, privateKey.PublicKey.Serialized, secret)
            .Bytes(StoredPreKey.SignatureField, signature.Span)
            .Fixed64(StoredPreKey.CreatedAtField, (ulong)createdAt.ToUnixTimeMilliseconds()));
        CryptographicOperations.ZeroMemory(secret);
        return stored;
    }

    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(SignedPreKeyRecord);

    /// <inheritdoc/>
    public void Dispose() => privateKey.Dispose();
}

/// <summary>A Kyber prekey with its private half: a one-time one, or the one of last resort.</summary>
/// <param name="id">The number by which a message names it.</param>
/// <param name="createdAt">When it was made, for the host to tell when it is due.</param>
/// <param name="keyPair">Taken over.</param>
/// <param name="signature">64 bytes over the serialised public key.</param>
public sealed class KyberPreKeyRecord(uint id, DateTimeOffset createdAt, KyberKeyPair keyPair, ReadOnlyMemory<byte> signature)
    : IDisposable
{
    /// <summary>The number by which a message names it.</summary>
    public uint Id => id;

    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt => createdAt;

    /// <summary>The keys.</summary>
    public KyberKeyPair KeyPair => keyPair;

    /// <summary>The identity's signature over the serialised public key.</summary>
    public ReadOnlyMemory<byte> Signature => signature;

    /// <summary>A fresh prekey, signed by an identity.</summary>
    public static KyberPreKeyRecord Generate(uint id, IdentityKeyPair identity, DateTimeOffset now, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(identity);
        var pair = KyberKeyPair.Generate(random);
        return new KyberPreKeyRecord(id, now, pair, identity.PrivateKey.Sign(pair.PublicKey.Serialized, random));
    }

    /// <summary>Reads a stored prekey.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidRecord"/>.</exception>
    public static KyberPreKeyRecord Parse(ReadOnlySpan<byte> stored)
    {
        var fields = StoredPreKey.Parse(stored);
        return new KyberPreKeyRecord(fields.Id, fields.CreatedAt, fields.KyberKeyPair(), fields.Signature);
    }

    /// <summary>The record as bytes, to be stored where only its owner can read it. Contains the secret.</summary>
    public byte[] Serialize()
    {
        var secret = keyPair.SerializePrivateKey();
        var stored = StoredPreKey.Seal(StoredPreKey.Write(id, keyPair.PublicKey.Serialized, secret)
            .Bytes(StoredPreKey.SignatureField, signature.Span)
            .Fixed64(StoredPreKey.CreatedAtField, (ulong)createdAt.ToUnixTimeMilliseconds()));
        CryptographicOperations.ZeroMemory(secret);
        return stored;
    }

    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(KyberPreKeyRecord);

    /// <inheritdoc/>
    public void Dispose() => keyPair.Dispose();
}
