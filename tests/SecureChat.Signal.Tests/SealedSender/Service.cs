using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.SealedSender;

/// <summary>A server with a trust root and a signing key.</summary>
internal sealed class Service
{
    public const ulong Now = 1_800_000_000_000;
    public const ulong Expires = Now + 86_400_000;

    public Service(SeededRandom random)
    {
        Random = random;
        Root = PrivateKey.Generate(random);
        Key = PrivateKey.Generate(random);
        Certificate = ServerCertificate.Issue(7, Key.PublicKey, Root, random);
    }

    public SeededRandom Random { get; }

    public PrivateKey Root { get; }

    public PrivateKey Key { get; }

    public ServerCertificate Certificate { get; }

    public SenderCertificate CertificateOf(Account account) => SenderCertificate.Issue(
        account.Id, account.Device, account.Identity.PublicKey, Expires, Certificate, Key, Random);
}

/// <summary>A device of somebody who uses our library.</summary>
internal sealed class Account(SeededRandom random, int device)
{
    public ServiceId Id { get; } = ServiceId.OfAccount(new Guid(random.Bytes(16)));

    public int Device { get; } = device;

    public PrivateKey Identity { get; } = PrivateKey.Generate(random);

    public ProtocolAddress Address => new(Id, Device);

    /// <summary>How an official client addresses this device.</summary>
    public object Remote => new { name = Id.ToString(), device = Device };
}
