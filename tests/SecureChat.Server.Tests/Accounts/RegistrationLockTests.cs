using System.Security.Cryptography;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Accounts;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Accounts;

public sealed class RegistrationLockTests
{
    private static readonly byte[] Token = RandomNumberGenerator.GetBytes(32);

    [Fact]
    public async Task A1_without_the_token_nothing_changes_and_the_devices_are_told()
    {
        await using var node = await Node.StartAsync();
        using var ada = await LockedAsync(node);
        using var tablet = await ada.LinkAsync(node);
        node.Clock.Advance(TimeSpan.FromMinutes(3));
        var before = await node.Get<AccountStore>().FindAsync(ada.Account, TestContext.Current.CancellationToken);

        Assert.Equal("423 registration_locked", await (await new Person().TrySignUpAsync(node, "ada@example.org")).OutcomeAsync());
        node.Clock.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(
            "423 registration_locked",
            await (await new Person().TrySignUpAsync(node, "ada@example.org", RandomNumberGenerator.GetBytes(32))).OutcomeAsync());

        var after = await node.Get<AccountStore>().FindAsync(ada.Account, TestContext.Current.CancellationToken);
        Assert.Equal(before!.IdentityKey, after!.IdentityKey);
        Assert.Equal(before.LockHash, after.LockHash);
        Assert.True(await ada.IsSignedInAsync());
        Assert.True(await tablet.IsSignedInAsync());
        Assert.Equal(2, (await DeviceTests.EventsAsync(node, ada)).Count(e => e.RegistrationLockFailed is not null));
        Assert.Equal(2, (await DeviceTests.EventsAsync(node, tablet)).Count(e => e.RegistrationLockFailed is not null));
    }

    [Fact]
    public async Task The_token_opens_the_lock_with_the_same_code_and_the_lock_stays()
    {
        await using var node = await Node.StartAsync();
        using var ada = await LockedAsync(node);
        node.Clock.Advance(TimeSpan.FromMinutes(3));
        var newPhone = new Person();
        var (challenge, code) = await Person.RequestCodeAsync(node, "ada@example.org");
        var request = new Register(newPhone.IdentityKey, newPhone.NewDevice(), challenge, code);
        Assert.Equal("423 registration_locked", await (await node.Http.PostAsync("/v1/auth/register", request)).OutcomeAsync());

        var session = await (await node.Http.PostAsync(
            "/v1/auth/register", request with { RegistrationLock = Token })).ReadAsync<Session>();

        Assert.Equal(ada.Account, session.Account);
        node.Clock.Advance(TimeSpan.FromHours(2));
        Assert.Equal("423 registration_locked", await (await new Person().TrySignUpAsync(node, "ada@example.org")).OutcomeAsync());
    }

    [Fact]
    public async Task A1_after_ten_wrong_tries_even_the_right_token_must_wait()
    {
        await using var node = await Node.StartAsync();
        using var ada = await LockedAsync(node);
        await FailTenTimesAsync(node, ada.Account);

        var refused = await new Person().TrySignUpAsync(node, "ada@example.org", Token);
        Assert.Equal("423 registration_locked", await refused.OutcomeAsync());
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromMinutes(50), TimeSpan.FromHours(1));
        node.Clock.Advance(TimeSpan.FromMinutes(61));
        Assert.Equal("200", await (await new Person().TrySignUpAsync(node, "ada@example.org", Token)).OutcomeAsync());
    }

    [Fact]
    public async Task A1_neither_a_restart_nor_a_clock_that_is_set_back_shortens_the_wait()
    {
        var folder = Directory.CreateTempSubdirectory("securechat-lock-");
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
        var setting = ("Storage:DataFolder", folder.FullName);
        await using (var node = await Node.StartAsync(time, setting))
        {
            using var ada = await LockedAsync(node);
            await FailTenTimesAsync(node, ada.Account);
        }

        await using var again = await Node.StartAsync(time, setting);
        Assert.Equal("423 registration_locked", await (await new Person().TrySignUpAsync(again, "ada@example.org", Token)).OutcomeAsync());
        time.AdjustTime(time.GetUtcNow() - TimeSpan.FromDays(1));
        Assert.Equal("423 registration_locked", await (await new Person().TrySignUpAsync(again, "ada@example.org", Token)).OutcomeAsync());
        time.AdjustTime(time.GetUtcNow() + TimeSpan.FromDays(1));
        time.Advance(TimeSpan.FromMinutes(30));
        Assert.Equal("423 registration_locked", await (await new Person().TrySignUpAsync(again, "ada@example.org", Token)).OutcomeAsync());
        time.Advance(TimeSpan.FromMinutes(31));
        Assert.Equal("200", await (await new Person().TrySignUpAsync(again, "ada@example.org", Token)).OutcomeAsync());
        folder.Delete(recursive: true);
    }

    [Theory, EveryStore]
    public async Task A1_parallel_tries_cost_one_of_the_ten_each(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await LockedAsync(node);
        var account = await node.Get<AccountStore>().FindAsync(ada.Account, TestContext.Current.CancellationToken);

        var waits = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => node.Get<RegistrationLock>().TryAsync(
            account!, Token, TestContext.Current.CancellationToken)));

        Assert.Equal(1, waits.Count(wait => wait == TimeSpan.Zero));
    }

    [Fact]
    public async Task A1_the_lock_lapses_seven_days_after_the_account_was_last_seen()
    {
        await using var node = await Node.StartAsync();
        using var ada = await LockedAsync(node);
        node.SkipDays(7);
        Assert.Equal("423 registration_locked", await (await new Person().TrySignUpAsync(node, "ada@example.org")).OutcomeAsync());

        node.SkipDays(1);

        Assert.Equal("200", await (await new Person().TrySignUpAsync(node, "ada@example.org")).OutcomeAsync());
    }

    [Fact]
    public async Task Only_the_primary_sets_and_removes_the_lock()
    {
        await using var node = await Node.StartAsync();
        using var ada = await LockedAsync(node);
        using var tablet = await ada.LinkAsync(node);

        Assert.Equal("403 forbidden", await SetAsync(tablet, Token));
        Assert.Equal("400 malformed", await SetAsync(ada, new byte[31]));
        Assert.Equal("403 forbidden", await RemoveAsync(tablet));
        Assert.Equal("204", await RemoveAsync(ada));
        node.Clock.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal("200", await (await new Person().TrySignUpAsync(node, "ada@example.org")).OutcomeAsync());
    }

    private static async Task FailTenTimesAsync(Node node, Guid locked)
    {
        for (var i = 0; i < 10; i++)
        {
            var account = await node.Get<AccountStore>().FindAsync(locked, TestContext.Current.CancellationToken);
            Assert.NotEqual(
                TimeSpan.Zero,
                await node.Get<RegistrationLock>().TryAsync(account!, RandomNumberGenerator.GetBytes(32), TestContext.Current.CancellationToken));
        }
    }

    private static async Task<Member> LockedAsync(Node node)
    {
        var ada = await Member.SignUpAsync(node, "ada@example.org");
        Assert.Equal("204", await SetAsync(ada, Token));
        node.Clock?.Advance(TimeSpan.FromMinutes(1));
        return ada;
    }

    private static async Task<string> SetAsync(Member member, byte[] token) => await (await member.Http.SendAsync(
        HttpMethod.Put, "/v1/account/registration-lock", new SetRegistrationLock(token))).OutcomeAsync();

    private static async Task<string> RemoveAsync(Member member) => await (await member.Http.DeleteAsync(
        new Uri("/v1/account/registration-lock", UriKind.Relative), TestContext.Current.CancellationToken)).OutcomeAsync();
}
