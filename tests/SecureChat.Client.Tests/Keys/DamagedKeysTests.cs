using System.Globalization;
using Google.Protobuf;
using SecureChat.Client.Keys;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Keys;

/// <summary>A stored key of which a bit is another one is as if it were not there.</summary>
public sealed class DamagedKeysTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_prekey_of_each_kind_that_was_damaged_is_missing_whatever_byte_it_is()
    {
        await using var world = await World.StartAsync();
        var bob = await world.PersonAsync();
        var rows = new StoreTransaction(bob.Options.Store);
        var stores = new SignalStores(rows, world.Clock.GetUtcNow(), bob.Options.IdentityPolicy, _ => { });
        var (oneTime, signed) = (await FirstAsync(bob, Tables.OneTimeKeys), await FirstAsync(bob, Tables.SignedKeys));
        var (kyberName, kyber) = (await rows.ListAsync(Tables.KyberKeys, Ct))[0];
        Assert.NotNull(await stores.LoadOneTimeAsync(IdOf(oneTime.Key), Ct));
        Assert.NotNull(await stores.LoadSignedAsync(IdOf(signed.Key), Ct));
        Assert.NotNull(await stores.LoadKyberAsync(IdOf(kyberName), Ct));

        foreach (var damaged in Damaged(oneTime.Value.ToArray()))
        {
            rows.Put(Tables.OneTimeKeys, oneTime.Key, damaged);
            Assert.Null(await stores.LoadOneTimeAsync(IdOf(oneTime.Key), Ct));
        }

        foreach (var damaged in Damaged(signed.Value.ToArray()))
        {
            rows.Put(Tables.SignedKeys, signed.Key, damaged);
            Assert.Null(await stores.LoadSignedAsync(IdOf(signed.Key), Ct));
        }

        foreach (var damaged in Damaged(kyber.Record.ToByteArray()))
        {
            rows.Put(Tables.KyberKeys, kyberName, new KyberRecord { Record = ByteString.CopyFrom(damaged) });
            Assert.Null(await stores.LoadKyberAsync(IdOf(kyberName), Ct));
        }
    }

    [Fact]
    public async Task A_message_under_a_prekey_that_was_damaged_comes_through_under_another()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await alice.ForgetSessionsAsync();
        var next = await FirstAsync(bob, Tables.OneTimeKeys);
        await bob.Options.Store.CommitAsync([new RowChange(Tables.OneTimeKeys, next.Key, Damaged(next.Value.ToArray()).First())], Ct);

        var sent = await alice.SendAsync(bob, "under a key that is broken");
        await world.UntilAsync(() => Task.FromResult(bob.Events<MessageReceived>().Count() == 2), TimeSpan.FromMinutes(1));

        Assert.Equal(["hello", "hello you", "under a key that is broken"], await bob.TextsAsync(alice));
        await world.UntilAsync(async () => await alice.ProgressAsync(sent) == Progress.Delivered);
    }

    [Fact]
    public async Task A_linked_device_that_has_written_to_nobody_asks_for_what_it_cannot_read_too()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var laptop = await world.LinkedAsync(bob);
        await laptop.Client.AcceptAsync(alice.Account, Ct);
        var next = await FirstAsync(laptop, Tables.OneTimeKeys);
        await laptop.Options.Store.CommitAsync([new RowChange(Tables.OneTimeKeys, next.Key, Damaged(next.Value.ToArray()).First())], Ct);

        await alice.SendAsync(bob, "under a key that is broken on the laptop");

        await bob.TextAsync("under a key that is broken on the laptop");
        await laptop.TextAsync("under a key that is broken on the laptop");
    }

    private static uint IdOf(string name) => uint.Parse(name, CultureInfo.InvariantCulture);

    private static async Task<StoredRow> FirstAsync(Person person, string table) => (await person.Options.Store.ListAsync(table, 0, 1, Ct))[0];

    // One bit in each of some bytes over the whole of it, its checksum and its head among them.
    private static IEnumerable<byte[]> Damaged(byte[] record)
    {
        for (var at = 0; at < record.Length; at += Math.Max(1, record.Length / 100))
        {
            byte[] damaged = [.. record];
            damaged[at] ^= 1;
            yield return damaged;
        }
    }
}
