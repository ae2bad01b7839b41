using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Spqr;

namespace SecureChat.Signal.Handshake;

/// <summary>
/// The handshake PQXDH in both roles: three or four X25519 agreements and one Kyber secret become the first keys of a
/// session. docs/protocol/sessions.md#handshake.
/// </summary>
internal static class Pqxdh
{
    private const int KeySize = RatchetKdf.KeySize;

    /// <summary>A session with the owner of a bundle, ready to send.</summary>
    public static SessionState Initiate(LocalDevice self, VerifiedBundle verified, DateTimeOffset now, RandomSource random)
    {
        var bundle = verified.Bundle;
        using var baseKey = PrivateKey.Generate(random);
        var (kyberSecret, kyberCiphertext) = bundle.KyberPreKey.Encapsulate(random);
        using var secrets = new Secrets();
        secrets.Add(self.Identity.PrivateKey.Agree(bundle.SignedPreKey.PublicKey));
        secrets.Add(baseKey.Agree(bundle.IdentityKey));
        secrets.Add(baseKey.Agree(bundle.SignedPreKey.PublicKey));
        if (bundle.OneTimePreKey is { } oneTime)
        {
            secrets.Add(baseKey.Agree(oneTime.PublicKey));
        }

        secrets.Add(kyberSecret);
        var keys = secrets.Derive();
        var (root, sending) = SendingChain.Start(keys.Root, bundle.SignedPreKey.PublicKey, random);
        CryptographicOperations.ZeroMemory(keys.Root);
        return new SessionState
        {
            LocalIdentity = self.Identity.PublicKey,
            RemoteIdentity = bundle.IdentityKey,
            LocalRegistrationId = self.RegistrationId,
            RemoteRegistrationId = bundle.RegistrationId,
            BaseKey = baseKey.PublicKey,
            RootKey = root,
            Sending = sending,
            Receiving = [new ReceivingChain(bundle.SignedPreKey.PublicKey, keys.Chain)],
            PostQuantum = PostQuantum(keys.PostQuantum, SpqrRole.Initiator),
            Pending = new PendingHandshake(
                bundle.OneTimePreKey?.Id, bundle.SignedPreKey.Id, bundle.KyberPreKeyId, kyberCiphertext, now),
        };
    }

    /// <summary>The session that a message opens, ready to decrypt it. Whether it is genuine shows only then.</summary>
    /// <param name="preKeys">The private halves of the prekeys that the message names.</param>
    /// <exception cref="SignalException">A key in it is of low order, or the Kyber ciphertext is malformed.</exception>
    public static SessionState Respond(LocalDevice self, ResponderPreKeys preKeys, HandshakeHeader header)
    {
        using var secrets = new Secrets();
        var signedPreKey = preKeys.Signed.PrivateKey;
        secrets.Add(signedPreKey.Agree(header.IdentityKey));
        secrets.Add(self.Identity.PrivateKey.Agree(header.BaseKey));
        secrets.Add(signedPreKey.Agree(header.BaseKey));
        if (preKeys.OneTime is { } oneTime)
        {
            secrets.Add(oneTime.PrivateKey.Agree(header.BaseKey));
        }

        secrets.Add(preKeys.Kyber.KeyPair.Decapsulate(header.KyberCiphertext));
        var keys = secrets.Derive();
        return new SessionState
        {
            LocalIdentity = self.Identity.PublicKey,
            RemoteIdentity = header.IdentityKey,
            LocalRegistrationId = self.RegistrationId,
            RemoteRegistrationId = header.RegistrationId,
            BaseKey = header.BaseKey,
            RootKey = keys.Root,
            Sending = new SendingChain(signedPreKey.PublicKey, signedPreKey.Serialize(), keys.Chain, 0),
            Receiving = [],
            PostQuantum = PostQuantum(keys.PostQuantum, SpqrRole.Responder),
            Opening = header.Hash(),
        };
    }

    private static SpqrState PostQuantum(byte[] key, SpqrRole role)
    {
        var state = SpqrState.Initialize(key, role);
        CryptographicOperations.ZeroMemory(key);
        return state;
    }

    /// <summary>What the keys are derived from, in the order of the specification; erased when done.</summary>
    private sealed class Secrets : IDisposable
    {
        private readonly byte[] _all = new byte[6 * KeySize];
        private int _size = KeySize;

        /// <summary>32 bytes FF come first: no agreement gives them, so that no other use of the keys collides.</summary>
        public Secrets() => _all.AsSpan(0, KeySize).Fill(0xFF);

        /// <summary>Appends a secret, and erases the original.</summary>
        public void Add(byte[] secret)
        {
            secret.CopyTo(_all, _size);
            _size += KeySize;
            CryptographicOperations.ZeroMemory(secret);
        }

        public (byte[] Root, byte[] Chain, byte[] PostQuantum) Derive()
        {
            var keys = Hkdf.Derive(
                [], _all.AsSpan(0, _size), "WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"u8, 3 * KeySize);
            var derived = (keys[..KeySize], keys[KeySize..(2 * KeySize)], keys[(2 * KeySize)..]);
            CryptographicOperations.ZeroMemory(keys);
            return derived;
        }

        public void Dispose() => CryptographicOperations.ZeroMemory(_all);
    }
}

/// <summary>The private prekeys of one handshake.</summary>
internal sealed record ResponderPreKeys(SignedPreKeyRecord Signed, PreKeyRecord? OneTime, KyberPreKeyRecord Kyber)
{
    /// <summary>Never the secrets.</summary>
    public override string ToString() => nameof(ResponderPreKeys);
}
