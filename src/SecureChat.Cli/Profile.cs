using System.Text.Json;
using System.Text.Json.Serialization;
using SecureChat.Client.Connection;
using SecureChat.Client.KeyStore;
using SecureChat.Signal;
using SecureChat.Signal.Keys;

namespace SecureChat.Cli;

/// <summary>One identity on this machine: a folder, its owner's alone, with the address of a server and the encrypted store.</summary>
internal sealed class Profile
{
    private const string SettingsName = "profile.json";
    private const string StoreName = "store.db";
    private const string KeyName = "store.key";
    private const int MaxName = 32;

    private Profile(string name, string folder) => (Name, Folder) = (name, folder);

    public string Name { get; }

    public string Folder { get; }

    public string Store => Path.Combine(Folder, StoreName);

    /// <summary>The key of the store, if the system keeps it.</summary>
    public SystemKey Key => new("secureChat", Path.GetFullPath(Folder), Path.Combine(Folder, KeyName));

    public bool IsInKeyring => Settings().Keyring;

    public bool Exists => File.Exists(Path.Combine(Folder, SettingsName));

    /// <summary>A profile by its name, whether it exists or not.</summary>
    public static Profile Named(string name, CliHost host)
    {
        if (name.Length is 0 or > MaxName || name.Any(symbol => !char.IsAsciiLetterLower(symbol) && !char.IsAsciiDigit(symbol) && symbol != '-'))
        {
            throw new CliException(ExitCode.Usage, "invalid", $"'{name}' is no name for a profile.", "Use a-z, 0-9 and -, at most 32 of them.");
        }

        return new Profile(name, Path.Combine(Home(host), name));
    }

    public static IReadOnlyList<Profile> All(CliHost host) => Directory.Exists(Home(host))
        ? [.. Directory.EnumerateDirectories(Home(host)).Order(StringComparer.Ordinal)
            .Select(folder => new Profile(Path.GetFileName(folder), folder)).Where(profile => profile.Exists)]
        : [];

    public ServerAddress Read()
    {
        var settings = Settings();
        try
        {
            return new ServerAddress(settings.Server) { TrustRoots = [.. settings.TrustRoots.Select(root => PublicKey.Parse(root))] };
        }
        catch (SignalException)
        {
            throw Damaged();
        }
    }

    /// <summary>Makes the folder, its owner's alone.</summary>
    public void Create()
    {
        if (Exists)
        {
            throw new CliException(ExitCode.Profile, "profile_exists", $"The profile '{Name}' has an account already.", "Choose another with --profile NAME.");
        }

        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(Folder);
        }
        else
        {
            Directory.CreateDirectory(Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        // What a sign-up that did not end has left.
        DeleteStore();
    }

    /// <summary>The last step of a sign-up: from now on the profile exists.</summary>
    public void Write(ServerAddress server, bool isInKeyring)
    {
        var settings = new ProfileSettings(server.Api, [.. server.TrustRoots.Select(root => root.Serialize())], isInKeyring);
        File.WriteAllText(Path.Combine(Folder, SettingsName), JsonSerializer.Serialize(settings, ProfileJson.Default.ProfileSettings) + "\n");
    }

    public async Task DeleteAsync(CancellationToken ct)
    {
        if (IsInKeyring)
        {
            await Key.RemoveAsync(ct);
        }

        Directory.Delete(Folder, recursive: true);
    }

    public void DeleteStore()
    {
        foreach (var file in new[] { Store, Store + "-wal", Store + "-shm" })
        {
            File.Delete(file);
        }
    }

    private ProfileSettings Settings()
    {
        if (!Exists)
        {
            throw new CliException(ExitCode.Profile, "no_profile", $"There is no profile '{Name}'.",
                "Register with 'securechat register', link with 'securechat link', or choose another with --profile.");
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(Path.Combine(Folder, SettingsName)), ProfileJson.Default.ProfileSettings)!;
        }
        catch (JsonException)
        {
            throw Damaged();
        }
    }

    private CliException Damaged() =>
        new(ExitCode.Profile, "damaged", $"{Path.Combine(Folder, SettingsName)} is damaged.", "Restore it, or register anew.");

    private static string Home(CliHost host)
    {
        var data = host.Variable("CHAT_HOME") is { Length: > 0 } home ? home : Path.Combine(
            host.Variable("XDG_DATA_HOME") is { Length: > 0 } xdg
                ? xdg
                : Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify),
            "securechat");
        return Path.Combine(data, "profiles");
    }
}

/// <summary>What a profile holds outside of its encrypted store.</summary>
/// <param name="Keyring">Whether the system keeps the store's key.</param>
internal sealed record ProfileSettings(Uri Server, IReadOnlyList<byte[]> TrustRoots, bool Keyring = false);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ProfileSettings))]
internal sealed partial class ProfileJson : JsonSerializerContext;
