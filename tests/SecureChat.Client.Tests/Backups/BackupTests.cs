using SecureChat.Client.Backups;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Backups;

/// <summary>Backups to a file and to the server, and back on a new device.</summary>
public sealed class BackupTests
{
    private static CancellationToken Ct => World.Ct;

    [Fact]
    public async Task Conversations_come_back_on_a_new_device_and_go_on()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var sent = await alice.SendAsync(bob, "and this");
        await bob.TextAsync("and this");
        await bob.Client.ReactAsync((await bob.Client.FindAsync(alice.Account, alice.Account, sent.Id, Ct))!, "👍", Ct);
        await alice.EventAsync<MessageChanged>();
        await alice.Client.SetNameAsync(bob.Account, "Bob", Ct);
        await alice.Client.SetVerifiedAsync(bob.Account, verified: true, Ct);
        using var key = RecoveryKey.Generate();
        using var file = new MemoryStream();

        var made = await alice.Client.BackUpAsync(key, file, null, Ct);
        var fresh = await world.PersonAsync();
        var restored = await fresh.Client.RestoreAsync(key, Rewound(file), null, Ct);

        Assert.Equal((1, 3), (made.Contacts, made.Messages));
        Assert.Equal((made.Contacts, made.Messages, made.MadeAt), (restored.Contacts, restored.Messages, restored.MadeAt));
        var messages = await fresh.Client.MessagesAsync(bob.Account, Ct);
        Assert.Equal(["hello", "hello you", "and this"], messages.Select(message => message.Text));
        Assert.Equal([fresh.Account, bob.Account, fresh.Account], messages.Select(message => message.Sender));
        Assert.Equal("👍", messages[2].Reactions[bob.Account]);
        var contact = (await fresh.Client.ContactsAsync(Ct)).Single(one => one.Account == bob.Account);
        Assert.Equal(("Bob", true, true), (contact.Name, contact.IsVerified, contact.IsAccepted));

        // Sessions are not in a backup: the two make new ones.
        await fresh.SendAsync(bob, "I am back");
        await bob.TextAsync("I am back");
        await bob.SendAsync(fresh, "welcome");
        await fresh.TextAsync("welcome");
    }

    [Fact]
    public async Task A_group_comes_back_to_be_read_and_is_joined_again_by_its_link()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        var link = await alice.Client.InviteToGroupAsync(group, reset: false, Ct);
        await bob.Client.SendAsync(group, "remember this", Ct);
        await carol.TextAsync("remember this");
        using var key = RecoveryKey.Generate();
        using var file = new MemoryStream();
        await carol.Client.BackUpAsync(key, file, null, Ct);
        var fresh = await world.PersonAsync();

        var restored = await fresh.Client.RestoreAsync(key, Rewound(file), null, Ct);

        var seen = (await fresh.Client.FindGroupAsync(group, Ct))!;
        Assert.Equal(("Friends", false, 3), (seen.Name, seen.IsMember, seen.Members.Count));
        Assert.Equal(["remember this"], (await fresh.Client.MessagesAsync(group, Ct)).Select(message => message.Text));
        Assert.Equal(2, restored.Contacts);
        await Assert.ThrowsAsync<InvalidOperationException>(() => fresh.Client.SendAsync(group, "not yet", Ct));

        await fresh.Client.AskToJoinAsync(link, Ct);
        await alice.Client.ApproveAsync(Assert.Single(await alice.Client.GroupApplicantsAsync(group, Ct)), Ct);
        await world.UntilAsync(async () => (await fresh.Client.FindGroupAsync(group, Ct))!.IsMember);
        await fresh.Client.SendAsync(group, "I am back", Ct);
        Assert.Equal(group, (await bob.TextAsync("I am back")).Conversation);
    }

    [Fact]
    public async Task Contacts_are_told_of_somebody_who_has_restored()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        using var key = RecoveryKey.Generate();
        await alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct);
        var fresh = await world.PersonAsync();

        await fresh.Client.RestoreFromServerAsync(key, atLeast: 0, null, Ct);

        // A first content of a new identity, which nobody had to write.
        await world.UntilAsync(async () => (await bob.Client.SafetyNumberAsync(fresh.Account, Ct)) is not null);
    }

    [Fact]
    public async Task Neither_what_opens_once_nor_what_destroys_itself_nor_keys_are_in_a_backup()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await bob.Client.SendAsync(alice.Account, new OutgoingMessage { Text = "canary once", ViewOnce = true }, Ct);
        await alice.EventAsync<MessageReceived>(told => told.Message.IsViewOnce);
        await alice.Client.SetTimerAsync(bob.Account, TimeSpan.FromDays(7), fromSending: false, Ct);
        await alice.SendAsync(bob, "canary timed");
        await bob.TextAsync("canary timed");
        var rows = new StoreTransaction(alice.Options.Store);
        var self = (await rows.ReadAsync(Tables.Self, Tables.Only, Ct))!;

        var body = await BackupContents.CollectAsync(rows, alice.Account, Ct);

        Assert.Equal(2L, (long)BackupContents.Read(body).Head.Messages);
        foreach (var hidden in new[] { "canary once"u8.ToArray(), "canary timed"u8.ToArray(), self.IdentityKeyPair.ToByteArray()[^32..], self.ProfileKey.ToByteArray() })
        {
            Assert.True(body.AsSpan().IndexOf(hidden) < 0);
        }

        foreach (var table in new[] { Tables.Sessions, Tables.OneTimeKeys, Tables.SignedKeys })
        {
            foreach (var row in await alice.Options.Store.ListAsync(table, 0, 1000, Ct))
            {
                Assert.True(body.AsSpan().IndexOf(row.Value.Span) < 0);
            }
        }

        // The search can find.
        Assert.True(body.AsSpan().IndexOf("hello you"u8) > 0);
    }

    [Fact]
    public async Task Another_key_is_told_from_damage_and_neither_changes_anything()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        using var key = RecoveryKey.Generate();
        using var other = RecoveryKey.Generate();
        using var file = new MemoryStream();
        await alice.Client.BackUpAsync(key, file, null, Ct);
        var fresh = await world.PersonAsync();
        var whole = file.ToArray();

        Assert.Equal(BackupFault.WrongKey, (await Assert.ThrowsAsync<BackupException>(() => fresh.Client.RestoreAsync(other, Rewound(file), null, Ct))).Fault);
        foreach (var length in new[] { 0, 10, 100, whole.Length / 2, whole.Length - 1 })
        {
            var cut = await Assert.ThrowsAsync<BackupException>(() => fresh.Client.RestoreAsync(key, new MemoryStream(whole[..length]), null, Ct));
            Assert.Equal(BackupFault.Damaged, cut.Fault);
        }

        // Every byte outside of the two commitments, which tell another key: there is no telling which of the two is wrong.
        for (var at = 0; at < whole.Length; at += 97)
        {
            var changed = whole.ToArray();
            changed[at] ^= 1;
            await Assert.ThrowsAsync<BackupException>(() => fresh.Client.RestoreAsync(key, new MemoryStream(changed), null, Ct));
        }

        Assert.Empty(await fresh.Client.MessagesAsync(bob.Account, Ct));
        Assert.Empty(await fresh.Client.ContactsAsync(Ct));
    }

    [Fact]
    public async Task The_size_does_not_tell_what_somebody_wrote()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        using var key = RecoveryKey.Generate();
        var sizes = new HashSet<long>();

        // K9: whoever picks a name or a text must not read from the size whether it repeats what is secret.
        foreach (var name in new[] { "", "a", "hello you", new string('x', 100) })
        {
            await alice.Client.SetNameAsync(bob.Account, name, Ct);
            using var file = new MemoryStream();
            await alice.Client.BackUpAsync(key, file, null, Ct);
            sizes.Add(file.Length);
        }

        Assert.Single(sizes);
    }

    [Fact]
    public async Task A_broken_line_is_taken_up_again_and_a_lost_answer_is_understood()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        for (var i = 0; i < 30; i++)
        {
            await alice.SendAsync(bob, new string((char)('a' + (i % 26)), 60_000));
        }

        using var key = RecoveryKey.Generate();
        var asked = 0;
        world.Server.Network.OnRequest = request => request.RequestUri!.AbsolutePath.StartsWith("/v1/backups", StringComparison.Ordinal)
            ? (asked++ % 3) switch { 0 => Client.Testing.Fault.Lost, 1 => Client.Testing.Fault.AnswerLost, _ => Client.Testing.Fault.None }
            : Client.Testing.Fault.None;

        var backingUp = alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct);
        await world.UntilAsync(() => Task.FromResult(backingUp.IsCompleted));
        var made = await backingUp;
        var fresh = await world.PersonAsync();
        var restoring = fresh.Client.RestoreFromServerAsync(key, atLeast: 1, null, Ct);
        await world.UntilAsync(() => Task.FromResult(restoring.IsCompleted));

        Assert.Equal((1, 32), (made.Version, made.Messages));
        Assert.Equal((1, 32), ((await restoring).Version, (await restoring).Messages));
        Assert.True(asked > 10);
    }

    [Fact]
    public async Task Progress_grows_to_the_whole_in_every_direction()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        for (var i = 0; i < 20; i++)
        {
            await alice.SendAsync(bob, new string('x', 60_000));
        }

        using var key = RecoveryKey.Generate();
        using var file = new MemoryStream();
        var fresh = await world.PersonAsync();

        await AssertGrowsAsync(progress => alice.Client.BackUpAsync(key, file, progress, Ct));
        await AssertGrowsAsync(progress => alice.Client.BackUpToServerAsync(key, startAnew: false, progress, Ct));
        await AssertGrowsAsync(progress => fresh.Client.RestoreFromServerAsync(key, atLeast: 1, progress, Ct));
        await AssertGrowsAsync(progress => fresh.Client.RestoreAsync(key, Rewound(file), progress, Ct));
    }

    [Fact]
    public async Task No_request_about_a_backup_or_a_group_names_an_account_or_shares_a_connection_with_one_that_does()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        using var key = RecoveryKey.Generate();
        var asked = world.Asked(_ => true, request => (Path: request.RequestUri!.AbsolutePath,
            IsAnonymous: request.Options.TryGetValue(Client.Testing.FaultyNetwork.IsAnonymous, out var apart) && apart,
            HasToken: request.Headers.Authorization is not null));

        await alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct);
        await (await world.PersonAsync()).Client.RestoreFromServerAsync(key, atLeast: 1, null, Ct);
        await alice.Client.DeleteBackupAsync(key, Ct);
        var group = await world.GroupAsync(alice, bob, carol);
        await alice.Client.SetGroupNameAsync(group, "renamed", Ct);
        await world.AgreeAsync(group, 2, bob, carol);

        foreach (var prefix in new[] { "/v1/backups", "/v1/groups", "/v1/sealed" })
        {
            var those = asked.Where(one => one.Path.StartsWith(prefix, StringComparison.Ordinal)).ToList();
            Assert.NotEmpty(those);
            Assert.All(those, one => Assert.Equal((true, false), (one.IsAnonymous, one.HasToken)));
        }

        // What carries a token has connections of its own.
        Assert.Contains(asked, one => one.HasToken);
        Assert.All(asked.Where(one => one.HasToken), one => Assert.False(one.IsAnonymous));
    }

    private static async Task AssertGrowsAsync(Func<IProgress<BackupProgress>, Task> run)
    {
        var reports = new Reports();

        await run(reports);

        Assert.True(reports.Told.Count > 1);
        Assert.Equal(reports.Told.Select(report => report.Done).Distinct().Order(), reports.Told.Select(report => report.Done));
        Assert.All(reports.Told, report => Assert.Equal(reports.Told[^1].Done, report.Total));
    }

    private sealed class Reports : IProgress<BackupProgress>
    {
        public List<BackupProgress> Told { get; } = [];

        public void Report(BackupProgress value) => Told.Add(value);
    }

    private static MemoryStream Rewound(MemoryStream file) => new(file.ToArray());
}
