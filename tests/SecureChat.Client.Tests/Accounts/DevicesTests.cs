using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Accounts;

/// <summary>Several devices, new identities, broken sessions.</summary>
public sealed class DevicesTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_device_of_both_sides_shows_what_is_written()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();

        // A device that comes later is sent what is not confirmed yet.
        await world.UntilAsync(async () => (await alice.Client.MessagesAsync(bob.Account, Ct)).All(message => message.Progress != Progress.Sent));
        var tablet = await world.LinkedAsync(bob);
        Assert.Equal(2, (await bob.EventAsync<DeviceLinked>()).Device);

        await alice.SendAsync(bob, "to all of you");
        await bob.TextAsync("to all of you");
        await tablet.TextAsync("to all of you");
        await bob.SendAsync(alice, "from the phone");
        await tablet.TextAsync("from the phone");
        await tablet.SendAsync(alice, "from the tablet");
        await alice.TextAsync("from the tablet");
        await bob.TextAsync("from the tablet");

        Assert.Equal(["to all of you", "from the phone", "from the tablet"], await tablet.TextsAsync(alice));
    }

    [Fact]
    public async Task One_receipt_is_sent_for_all_devices_of_an_account()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var tablet = await world.LinkedAsync(bob);
        await world.PassAsync(TimeSpan.FromMinutes(1));
        var receipts = 0;
        world.Server.Network.CountFor(alice.Account, () => Interlocked.Increment(ref receipts));

        // The phone confirms; the tablet, which hears of it, has nothing to add when its person agrees there too.
        var first = await alice.SendAsync(bob, "first");
        await tablet.TextAsync("first");
        await world.UntilAsync(async () => (await alice.Client.MessagesAsync(bob.Account, Ct))[^1].Progress == Progress.Delivered);
        await world.UntilAsync(async () => (await new StoreTransaction(tablet.Options.Store).ListAsync(Tables.Confirmed, Ct)).Any(row =>
            row.Key == Tables.Key(alice.Account.ToBytes(), first.Id.ToBytes())));
        await tablet.Client.AcceptAsync(alice.Account, Ct);
        for (var i = 0; i < 60; i++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(1, receipts);
    }

    [Fact]
    public async Task A_damaged_session_is_mended_and_nothing_is_lost()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await alice.SendAsync(bob, "before");
        await bob.TextAsync("before");
        var sessions = await bob.Options.Store.ListAsync(Tables.Sessions, 0, 10, Ct);
        await bob.Client.DisconnectAsync(Ct);
        await bob.Options.Store.CommitAsync([.. sessions.Select(row => new RowChange(Tables.Sessions, row.Key, null))], Ct);
        await bob.Client.ConnectAsync(Ct);

        await alice.SendAsync(bob, "can you read this?");
        var sentAt = world.Clock.GetUtcNow();
        await bob.TextAsync("can you read this?");

        // Asked for: by itself the outbox sends again when the server's copy dies, after an hour and more.
        Assert.InRange(world.Clock.GetUtcNow() - sentAt, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        await bob.SendAsync(alice, "yes");
        await alice.TextAsync("yes");

        Assert.Equal(["hello", "hello you", "before", "can you read this?", "yes"], await bob.TextsAsync(alice));
    }

    [Theory]
    [InlineData(IdentityPolicy.Notify, false, true)]
    [InlineData(IdentityPolicy.Notify, true, false)]
    [InlineData(IdentityPolicy.BlockUntilApproved, false, false)]
    public async Task A_changed_identity_is_told_and_stops_what_it_must(IdentityPolicy policy, bool isVerified, bool isSent)
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(options => options with { IdentityPolicy = policy }), await world.PersonAsync());
        await alice.SendAsync(bob, "hello");
        await bob.TextAsync("hello");
        await alice.Client.SetVerifiedAsync(bob.Account, isVerified, Ct);
        var number = (await alice.Client.SafetyNumberAsync(bob.Account, Ct))!.Display;
        Assert.Equal(number, (await bob.Client.SafetyNumberAsync(alice.Account, Ct))!.Display);

        await ReplaceIdentityAsync(alice, bob);
        var sent = await alice.SendAsync(bob, "is it you?");

        Assert.Equal(bob.Account, (await alice.EventAsync<IdentityChanged>()).Account);
        Assert.Equal(isSent ? Progress.Sent : Progress.Waiting, sent.Progress);
        Assert.False(await alice.Client.IsVerifiedAsync(bob.Account, Ct));
        if (!isSent)
        {
            await alice.Client.ApproveIdentityAsync(bob.Account, Ct);
            Assert.Equal(Progress.Sent, await alice.ProgressAsync(sent));
        }

        await bob.TextAsync("is it you?");
    }

    [Fact]
    public async Task What_was_sent_to_the_identity_before_is_sent_again_when_the_new_one_is_agreed_to()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = (
            await world.PersonAsync(options => options with { IdentityPolicy = IdentityPolicy.BlockUntilApproved }), await world.PersonAsync());
        await alice.SendAsync(bob, "hello");
        await bob.TextAsync("hello");
        await bob.Client.DisconnectAsync(Ct);
        Assert.Equal(Progress.Sent, (await alice.SendAsync(bob, "to whom it was")).Progress);
        await ReplaceIdentityAsync(alice, bob);
        await world.UntilAsync(() => Task.FromResult(alice.Events<IdentityChanged>().Any()), TimeSpan.FromMinutes(10));
        await world.PassAsync(TimeSpan.FromHours(2));
        var sent = world.Asked(request => request.RequestUri!.AbsolutePath.EndsWith("/messages", StringComparison.Ordinal), request => request.Method);

        await alice.Client.ApproveIdentityAsync(bob.Account, Ct);

        Assert.InRange(sent.Count, 1, 2);
    }

    [Fact]
    public async Task Who_is_blocked_is_not_heard()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();

        await bob.Client.BlockAsync(alice.Account, blocked: true, Ct);
        await alice.SendAsync(bob, "hear me");
        for (var i = 0; i < 40; i++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(1));
        }

        Assert.DoesNotContain("hear me", await bob.TextsAsync(alice));
    }

    // As if Alice had known Bob under another key before: what she meets now is a change.
    private static async Task ReplaceIdentityAsync(Person alice, Person bob)
    {
        var rows = new StoreTransaction(alice.Options.Store);
        var contact = await Contacts.GetAsync(rows, bob.Account, Ct);
        using var other = Signal.Keys.IdentityKeyPair.Generate(Signal.RandomSource.System);
        contact.IdentityKey = Google.Protobuf.ByteString.CopyFrom(other.PublicKey.Serialize());
        Contacts.Put(rows, contact);
        await rows.CommitAsync(Ct);
    }
}
