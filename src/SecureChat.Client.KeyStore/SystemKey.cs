using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Identity.Client.Extensions.Msal;
using SecureChat.Client.LocalStore;

namespace SecureChat.Client.KeyStore;

/// <summary>A key that the operating system keeps for the person who is logged in. Spec: docs/local-store.md, "Key".</summary>
/// <remarks>
/// Linux: the Secret Service (GNOME Keyring, KWallet, KeePassXC) through libsecret. macOS: the Keychain. Windows: data protection (DPAPI), in
/// a file. What protects it is the login: every program of the same person can ask for it.
/// </remarks>
public sealed class SystemKey
{
    /// <summary>How long a key is, in bytes.</summary>
    public const int Size = 32;

    private readonly Storage _storage;

    /// <param name="application">Whose key it is, as the keyring's own program shows it: <c>org.example.chat</c>.</param>
    /// <param name="name">Which one of the application's, such as the path of the store that it opens.</param>
    /// <param name="file">Where Windows has the key, encrypted; elsewhere an empty file there says that it was made.</param>
    public SystemKey(string application, string name, string file)
    {
        ArgumentException.ThrowIfNullOrEmpty(application);
        ArgumentException.ThrowIfNullOrEmpty(name);
        var path = Path.GetFullPath(file);
        var place = new StorageCreationPropertiesBuilder(Path.GetFileName(path), Path.GetDirectoryName(path))
            .WithMacKeyChain(application, name)
            .WithLinuxKeyring(
                application, MsalCacheHelper.LinuxKeyRingDefaultCollection, $"{application}: {name}",
                new KeyValuePair<string, string>("application", application), new KeyValuePair<string, string>("name", name))
            .Build();
        _storage = Storage.Create(place, new TraceSource("SecureChat.Client.KeyStore", SourceLevels.Off));
    }

    /// <summary>Makes a key of 32 random bytes, in the place of one that may be there, and sees that it is kept.</summary>
    /// <exception cref="LocalStoreException">The system keeps no keys here, or the keyring is locked.</exception>
    public Task<byte[]> CreateAsync(CancellationToken ct) => Task.Run(
        () =>
        {
            var key = RandomNumberGenerator.GetBytes(Size);
            Asked(() => _storage.WriteData(key));
            return CryptographicOperations.FixedTimeEquals(Asked(_storage.ReadData), key)
                ? key
                : throw new LocalStoreException("The operating system did not keep the key.");
        },
        ct);

    /// <summary>The key.</summary>
    /// <exception cref="LocalStoreException">There is none of this name, the system keeps no keys here, or the keyring is locked.</exception>
    public Task<byte[]> ReadAsync(CancellationToken ct) => Task.Run(
        () => Asked(_storage.ReadData) is { Length: Size } key
            ? key
            : throw new LocalStoreException("The operating system has no key for this store."),
        ct);

    /// <summary>Removes the key: what it sealed can never be opened again.</summary>
    /// <exception cref="LocalStoreException">The system keeps no keys here, or the keyring is locked.</exception>
    public Task RemoveAsync(CancellationToken ct) => Task.Run(() => Asked(() => _storage.Clear()), ct);

    private static void Asked(Action ask) => Asked(() =>
    {
        ask();
        return true;
    });

    private static T Asked<T>(Func<T> ask)
    {
        try
        {
            return ask();
        }
#pragma warning disable CA1031 // What each system's own library throws is its own.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            throw new LocalStoreException($"The operating system keeps no key here: {failure.Message}", failure);
        }
    }
}
