using System.CommandLine;
using Microsoft.Extensions.Options;
using SecureChat.Server.Hosting;
using SecureChat.Server.Storage;
using SecureChat.Signal;
using SecureChat.Signal.Keys;

namespace SecureChat.Server.Senders;

/// <summary><c>securechat-server keys root|certify|show</c>: the offline root of sender certificates, and the server's key under it.</summary>
internal static class KeysCommand
{
    public static Command Create()
    {
        var keys = new Command("keys", "Makes and shows the keys behind sender certificates.");
        keys.Subcommands.Add(RootCommand());
        keys.Subcommands.Add(CertifyCommand());
        keys.Subcommands.Add(ShowCommand());
        return keys;
    }

    private static Command RootCommand()
    {
        var file = new Argument<string>("file") { Description = "Where the root's private key is written. Keep it on a machine that is off." };
        var root = new Command("root", "Makes a root key and prints its public half, which clients are built with.") { file };
        root.SetAction((parsed, _) => CommandLine.GuardAsync(() =>
        {
            var path = parsed.GetRequiredValue(file);
            RefuseToOverwrite(path);
            using var key = PrivateKey.Generate(RandomSource.System);
            SenderSigner.WriteKey(path, key.Serialize());
            Terminal.WriteLine(Convert.ToBase64String(key.PublicKey.Serialize()));
            return Task.FromResult(0);
        }));
        return root;
    }

    private static Command CertifyCommand()
    {
        var root = new Option<string>("--root") { Description = "The root's private key.", Required = true };
        var id = new Option<uint>("--id") { Description = "A number for the new key that no other has; rotate by counting up.", Required = true };
        var file = new Argument<string>("file") { Description = "Where the server's key is written: give it to every node as Secrets:SenderKey_FILE, or as sender.key in the data folder." };
        var certify = new Command("certify", "Makes a signing key for the server, certified by the root.") { root, id, file };
        certify.SetAction((parsed, _) => CommandLine.GuardAsync(() =>
        {
            var (rootFile, path) = (parsed.GetRequiredValue(root), parsed.GetRequiredValue(file));
            RefuseToOverwrite(path);
            OwnerOnly.Check(rootFile);
            using var key = ReadRoot(rootFile);
            using var signer = SenderSigner.Create(key, parsed.GetRequiredValue(id));
            SenderSigner.WriteKey(path, signer.Serialize());
            Terminal.WriteLine($"Key {signer.Certificate.KeyId} is in {path}.");
            return Task.FromResult(0);
        }));
        return certify;
    }

    private static Command ShowCommand()
    {
        var show = new Command("show", "Prints the number of the server's key, and the root's public key, which clients are built with.");
        show.TreatUnmatchedTokensAsErrors = false;
        show.SetAction((parsed, _) => CommandLine.GuardAsync(async () =>
        {
            await using var server = Hosting.Server.Build(CommandLine.SettingsOf(parsed.UnmatchedTokens));
            var signer = server.Services.GetRequiredService<SenderSigner>();
            Terminal.WriteLine($"Signing key {signer.Certificate.KeyId}");
            Terminal.WriteLine($"Root {Convert.ToBase64String(signer.Root.Serialize())}");
            var rootFile = server.Services.GetRequiredService<IOptions<StorageOptions>>().Value.FileOf(SenderSigner.RootFileName);
            if (File.Exists(rootFile))
            {
                Terminal.WriteLine($"Its private half is in {rootFile}: take it offline.");
            }

            return 0;
        }));
        return show;
    }

    private static PrivateKey ReadRoot(string file)
    {
        try
        {
            return PrivateKey.Parse(Convert.FromBase64String(File.ReadAllText(file).Trim()));
        }
        catch (Exception failure) when (failure is SignalException or FormatException or IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"{file} is no root key. Make one with 'securechat-server keys root'.");
        }
    }

    private static void RefuseToOverwrite(string file)
    {
        if (File.Exists(file))
        {
            throw new SettingsException($"{file} exists already. Move it away first: a key that is lost cannot be made again.");
        }
    }
}
