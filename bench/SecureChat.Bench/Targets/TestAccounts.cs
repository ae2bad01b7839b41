using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using SecureChat.Bench.Wire;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Accounts;
using SecureChat.Signal;
using SecureChat.Signal.Keys;
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

    private static (byte[] IdentityKey, VerifiedDevice Device) Bundle()
    {
        using var identity = IdentityKeyPair.Generate(RandomSource.System);
        using var signed = PrivateKey.Generate(RandomSource.System);
        using var kyber = KyberKeyPair.Generate(RandomSource.System);
        SignedKey Sign(byte[] key) => new(1, key, identity.PrivateKey.Sign(key, RandomSource.System));

        var identityKey = identity.PublicKey.Serialize();
        var (device, refusal) = VerifiedDevice.Verify(
            new NewDevice(1, Sign(signed.PublicKey.Serialize()), Sign(kyber.PublicKey.Serialize())), identityKey);
        return (identityKey, device ?? throw new BenchException($"The server refuses the bundle: {refusal?.Code}"));
    }
}
