using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Server.Hosting;
using SecureChat.Server.Storage;
using SecureChat.Signal;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Server.Senders;

/// <summary>The key that signs sender certificates, with the certificate that the offline root gave it.</summary>
/// <remarks>
/// Serialised: length of the server certificate (2 bytes, big-endian), the certificate in libsignal's format, the private key
/// (32 bytes), the root's public key (33 bytes); in files and settings in base64. Spec: docs/protocol/sealed-sender.md#certificates.
/// </remarks>
internal sealed class SenderSigner : IDisposable
{
    /// <summary>In the data folder, where no setting gives it.</summary>
    public const string FileName = "sender.key";

    /// <summary>The root that the first start makes. The operator takes it away.</summary>
    public const string RootFileName = "sender-root.key";

    private const int KeySize = 32;

    private SenderSigner(ServerCertificate certificate, PrivateKey key, PublicKey root) =>
        (Certificate, Key, Root) = (certificate, key, root);

    public ServerCertificate Certificate { get; }

    public PrivateKey Key { get; }

    /// <summary>What vouches for the certificate: clients are built with it.</summary>
    public PublicKey Root { get; }

    /// <summary>Whether this start made the root.</summary>
    public bool IsRootNew { get; private init; }

    /// <summary>Makes a signing key that <paramref name="root"/> certifies.</summary>
    public static SenderSigner Create(PrivateKey root, uint id)
    {
        var key = PrivateKey.Generate(RandomSource.System);
        return new SenderSigner(ServerCertificate.Issue(id, key.PublicKey, root, RandomSource.System), key, root.PublicKey);
    }

    /// <summary>From the settings or the data folder; the first start of a server that has neither makes root and key.</summary>
    /// <exception cref="SettingsException">The setting or file is damaged, or others can read the file.</exception>
    public static SenderSigner Load(SecretsOptions options, string folder)
    {
        if (options.SenderKey.Length > 0)
        {
            return Parse(options.SenderKey, "Secrets:SenderKey");
        }

        var file = Path.Combine(folder, FileName);
        if (File.Exists(file))
        {
            OwnerOnly.Check(file);
            return Parse(File.ReadAllText(file), file);
        }

        OwnerOnly.CreateFolder(folder);
        using var root = PrivateKey.Generate(RandomSource.System);
        using var made = Create(root, id: 1);
        WriteKey(Path.Combine(folder, RootFileName), root.Serialize());
        WriteKey(file, made.Serialize());
        return new SenderSigner(made.Certificate, PrivateKey.Parse(made.Key.Serialize()), made.Root) { IsRootNew = true };
    }

    public byte[] Serialize()
    {
        var (certificate, key) = (Certificate.Serialize(), Key.Serialize());
        var length = new byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)certificate.Length);
        byte[] serialized = [.. length, .. certificate, .. key, .. Root.Serialize()];
        CryptographicOperations.ZeroMemory(key);
        return serialized;
    }

    /// <summary>Writes a private key for its owner alone, in base64, and forgets it.</summary>
    public static void WriteKey(string file, byte[] serialized)
    {
        OwnerOnly.Write(file, Encoding.ASCII.GetBytes(Convert.ToBase64String(serialized) + "\n"));
        CryptographicOperations.ZeroMemory(serialized);
    }

    public void Dispose() => Key.Dispose();

    private static SenderSigner Parse(string text, string where)
    {
        try
        {
            var serialized = Convert.FromBase64String(text.Trim());
            var length = BinaryPrimitives.ReadUInt16BigEndian(serialized);
            var certificate = ServerCertificate.Parse(serialized.AsSpan(2, length));
            var key = PrivateKey.Parse(serialized.AsSpan(2 + length, KeySize));
            var root = PublicKey.Parse(serialized.AsSpan(2 + length + KeySize));
            if (key.PublicKey.Equals(certificate.Key) && certificate.IsSignedBy(root))
            {
                return new SenderSigner(certificate, key, root);
            }
        }
        catch (Exception failure) when (failure is SignalException or ArgumentException or FormatException)
        {
            // Told below, without what the file holds.
        }

        throw new SettingsException($"{where} is no signing key for sender certificates. Make one with 'securechat-server keys certify'.");
    }
}
