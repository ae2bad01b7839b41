using System.Numerics;
using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Security;
using SecureChat.Bench.Wire;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Accounts;
using HostedServer = SecureChat.Server.Hosting.Server;

namespace SecureChat.Bench.Targets;

/// <summary>A data folder with many accounts, written by the server's own stores while no server runs on it.</summary>
/// <remarks>
/// Signing up over HTTP would measure one-time codes and rate limits. All accounts share one key bundle, which no relayed
/// message looks at; everything else about them is as registration makes it.
/// </remarks>
internal sealed class TestAccounts : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private TestAccounts() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Dispose();

    /// <summary>Each account's primary device, with an access token that is good for an hour.</summary>
    public List<Device> Devices { get; } = [];

    /// <summary>Settings that a server on this folder needs to accept the tokens.</summary>
    public static IReadOnlyDictionary<string, string> Settings { get; } =
        new Dictionary<string, string> { ["Tokens:AccessLife"] = "01:00:00", ["Logging:LogLevel:Default"] = "Warning" };

    public static async Task<TestAccounts> CreateAsync(int count, CancellationToken ct)
    {
        var accounts = new TestAccounts();
        var settings = Settings.Append(new("Storage:DataFolder", accounts._folder.Path));
        await using var server = HostedServer.Build([.. settings.SelectMany(setting => new[] { "--" + setting.Key, setting.Value })]);
        foreach (var start in server.Services.GetServices<IHostedService>().OfType<IHostedLifecycleService>())
        {
            await start.StartingAsync(ct); // Brings the schema up to date; nothing listens.
        }

        var (identityKey, device) = Bundle();
        var store = server.Services.GetRequiredService<AccountStore>();
        for (var i = 0; i < count; i++)
        {
            var session = await store.CreateAsync(identityKey, device, null, null, ct)
                ?? throw new BenchException("An account could not be made.");
            accounts.Devices.Add(new Device(
                session.Account.ToByteArray(bigEndian: true), device.Device.RegistrationId, session.AccessToken));
        }

        return accounts;
    }

    /// <summary>Copies the data folder, so that every server starts from the same state.</summary>
    public void CopyTo(TemporaryFolder folder)
    {
        foreach (var file in Directory.GetFiles(_folder.Path))
        {
            File.Copy(file, folder.File(Path.GetFileName(file)));
        }
    }

    public void Dispose() => _folder.Dispose();

    // XEdDSA is Ed25519 under a key known by its Montgomery form, with the Edwards key's sign in the signature's top bit.
    private static (byte[] IdentityKey, VerifiedDevice Device) Bundle()
    {
        var signer = new Ed25519PrivateKeyParameters(new SecureRandom());
        var edwards = signer.GeneratePublicKey().GetEncoded();
        var sign = (byte)(edwards[31] & 0x80);
        edwards[31] &= 0x7F;
        var prime = BigInteger.Pow(2, 255) - 19;
        var y = new BigInteger(edwards, isUnsigned: true);
        var u = (1 + y) * BigInteger.ModPow(prime + 1 - y, prime - 2, prime) % prime;
        var identityKey = new byte[Limits.PublicKeyBytes];
        identityKey[0] = 0x05;
        u.TryWriteBytes(identityKey.AsSpan(1), out _, isUnsigned: true);

        SignedKey Sign(byte type, int size)
        {
            byte[] key = [type, .. RandomNumberGenerator.GetBytes(size - 1)];
            var signature = new byte[Limits.SignatureBytes];
            signer.Sign(Org.BouncyCastle.Math.EC.Rfc8032.Ed25519.Algorithm.Ed25519, null, key, 0, key.Length, signature, 0);
            signature[63] |= sign;
            return new SignedKey(1, key, signature);
        }

        var (device, refusal) = VerifiedDevice.Verify(
            new NewDevice(1, Sign(0x05, Limits.PublicKeyBytes), Sign(0x08, Limits.KyberPublicKeyBytes)), identityKey);
        return (identityKey, device ?? throw new BenchException($"The server refuses the bundle: {refusal?.Code}"));
    }
}
