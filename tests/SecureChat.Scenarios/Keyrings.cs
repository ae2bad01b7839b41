using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>The operating system keeps a device's key.</summary>
public sealed class Keyrings(Worlds worlds, LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_device_whose_key_is_in_the_keyring_opens_without_a_passphrase_for_whoever_is_logged_in()
    {
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct);
        await using var keyring = await Keyring.StartAsync(Ct);
        using var alice = await CommandLine.RegisterAsync(world, "alice@example.org", Ct, keyring.Address);

        Assert.Equal(alice.Account, (await alice.RunAsync(Ct, "whoami")).Single().GetProperty("account").GetGuid());
        Assert.Equal(1, await keyring.CountAsync(Ct));

        await keyring.LockAsync(Ct);
        var (code, said) = await alice.FailAsync(Ct, "whoami");
        Assert.Equal(3, code);
        Assert.Contains("The operating system keeps no key here", said, StringComparison.Ordinal);

        await keyring.UnlockAsync(Ct);
        Assert.Equal(alice.Account, (await alice.RunAsync(Ct, "whoami")).Single().GetProperty("account").GetGuid());
        await alice.RunAsync(Ct, "delete-account", "--yes");
        Assert.Equal(0, await keyring.CountAsync(Ct));
    }

    [Fact]
    public async Task Somebody_elses_keyring_opens_nothing()
    {
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct);
        await using var keyring = await Keyring.StartAsync(Ct);
        await using var another = await Keyring.StartAsync(Ct);
        using var alice = await CommandLine.RegisterAsync(world, "alice@example.org", Ct, keyring.Address);

        alice.Bus = another.Address;
        var (code, said) = await alice.FailAsync(Ct, "whoami");

        Assert.Equal(3, code);
        Assert.Contains("The operating system has no key for this store", said, StringComparison.Ordinal);
    }
}
