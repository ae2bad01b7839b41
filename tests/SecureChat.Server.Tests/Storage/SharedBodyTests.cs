using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Storage;

/// <summary>What every message queue does with an end that many envelopes share.</summary>
public sealed class SharedBodyTests(ITestOutputHelper output)
{
    // Of the longest message there may be; 1,024 of them would be 99,614,720 bytes.
    private const int BodyBytes = 95 * 1024;

    private static readonly TimeSpan Life = TimeSpan.FromMinutes(120);
    private static readonly QueueCaps WideCaps = new(1000, 10_000_000);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryQueue]
    internal async Task A_body_for_1024_accounts_is_stored_once_and_goes_with_the_last_acknowledgement(TestStores stores)
    {
        var queue = await stores.QueueAsync(WideCaps);
        var before = await stores.StoredBytesAsync();
        var (body, mail) = await SharedAsync(queue, 1024, BodyBytes, stores.Clock.Now + Life);

        var positions = await Task.WhenAll(mail.Select(one => queue.AppendAsync([one], null, Ct)));

        var grown = await stores.StoredBytesAsync() - before;
        output.WriteLine($"{queue.Name}: {grown} bytes for 1,024 accounts and a body of {BodyBytes} bytes");
        Assert.InRange(grown, BodyBytes, BodyBytes + (1024 * 1024));
        Assert.Equal(1, await stores.CountAsync(body));
        foreach (var i in (int[])[0, 511, 1023])
        {
            var read = Assert.Single(await queue.ReadAsync(mail[i].To, 0, 10, Ct));
            Assert.Equal([.. mail[i].Envelope.Span, .. body.Bytes], read.Envelope.ToArray());
        }

        for (var i = 0; i < mail.Length - 1; i++)
        {
            await queue.AckAsync(mail[i].To, positions[i]!, Ct);
        }

        var last = Assert.Single(await queue.ReadAsync(mail[^1].To, 0, 10, Ct));
        Assert.Equal(BodyBytes, last.Envelope.Length - mail[^1].Envelope.Length);
        await queue.AckAsync(mail[^1].To, [last.Position], Ct);
        Assert.Equal(0, await Eventually.IsAsync(0, () => stores.CountAsync(body)));
    }

    [Theory, EveryQueue]
    internal async Task What_expired_unread_takes_its_shared_end_with_it(TestStores stores)
    {
        var queue = await stores.QueueAsync(WideCaps);
        var life = TimeSpan.FromMilliseconds(1500);
        var (body, mail) = await SharedAsync(queue, 2, BodyBytes, stores.Clock.Now + life);
        await queue.AppendAsync([mail[0]], null, Ct);
        await queue.AppendAsync([mail[1]], null, Ct);
        Assert.Equal(1, await stores.CountAsync(body));

        await stores.Clock.PassAsync(life);
        await queue.ExpireAsync(Ct);

        Assert.Empty(await queue.ReadAsync(mail[0].To, 0, 10, Ct));
        Assert.Equal(0, await Eventually.IsAsync(0, () => stores.CountAsync(body)));
    }

    [Theory, EveryQueue]
    internal async Task A_cleared_queue_gives_its_share_back(TestStores stores)
    {
        var queue = await stores.QueueAsync(WideCaps);
        var (body, mail) = await SharedAsync(queue, 2, 500, stores.Clock.Now + Life);
        await queue.AppendAsync([mail[0]], null, Ct);
        await queue.AppendAsync([mail[1]], null, Ct);

        await queue.ClearAsync(mail[0].To, Ct);
        var read = Assert.Single(await queue.ReadAsync(mail[1].To, 0, 10, Ct));
        Assert.Equal([.. mail[1].Envelope.Span, .. body.Bytes], read.Envelope.ToArray());
        await queue.ClearAsync(mail[1].To, Ct);

        Assert.Equal(0, await Eventually.IsAsync(0, () => stores.CountAsync(body)));
    }

    [Theory, EveryQueue]
    internal async Task A_message_that_was_sent_before_leaves_no_second_body_and_a_refused_one_none(TestStores stores)
    {
        var queue = await stores.QueueAsync();
        var (body, mail) = await SharedAsync(queue, 2, 500, stores.Clock.Now + Life);
        await queue.AppendAsync([mail[0]], null, Ct);
        await queue.AppendAsync([mail[1]], null, Ct);
        var (again, _) = await SharedAsync(queue, 2, 500, stores.Clock.Now + Life);
        var (large, tooLarge) = await SharedAsync(queue, 1, (int)TestStores.SmallCaps.Bytes, stores.Clock.Now + Life);

        var known = await queue.AppendAsync([mail[0] with { Shared = again }], null, Ct);
        await queue.AppendAsync([mail[1] with { Shared = again }], null, Ct);

        Assert.Equal(0, Assert.Single(known!));
        Assert.Null(await queue.AppendAsync(tooLarge, null, Ct));
        Assert.Equal(1, await Eventually.IsAsync(1, () => stores.CountAsync(body, again, large)));
    }

    [Theory, EveryQueue]
    internal async Task Sharing_gives_a_queue_no_more_room(TestStores stores)
    {
        var queue = await stores.QueueAsync();
        var bob = new DeviceAddress(Ids.New(), 1);
        var (_, mail) = await SharedAsync(queue, 2, 6_000, stores.Clock.Now + Life);

        var first = await queue.AppendAsync([mail[0] with { To = bob }], null, Ct);

        Assert.Null(await queue.AppendAsync([mail[1] with { To = bob }], null, Ct));
        await queue.AckAsync(bob, first!, Ct);
        Assert.NotNull(await queue.AppendAsync([SomeMail.To(bob, new byte[9_000], stores.Clock.Now + Life)], null, Ct));
    }

    [Fact]
    public async Task A_kill_between_acknowledgements_leaves_the_body_to_whoever_still_waits()
    {
        await using var stores = new TestStores(StoreKind.Embedded, new TestClock(isReal: false));
        var queue = await stores.QueueAsync(WideCaps);
        var (body, mail) = await SharedAsync(queue, 3, BodyBytes, stores.Clock.Now + Life);
        foreach (var one in mail)
        {
            await queue.AppendAsync([one], null, Ct);
        }

        await queue.ClearAsync(mail[0].To, Ct);
        await using var after = new TestStores(StoreKind.Embedded, stores.Clock);
        foreach (var file in Directory.GetFiles(stores.Folder, "queue.db*"))
        {
            File.Copy(file, Path.Combine(after.Folder, Path.GetFileName(file)));
        }

        var restarted = await after.QueueAsync(WideCaps);
        foreach (var one in mail[1..])
        {
            var read = Assert.Single(await restarted.ReadAsync(one.To, 0, 10, Ct));
            Assert.Equal([.. one.Envelope.Span, .. body.Bytes], read.Envelope.ToArray());
            await restarted.AckAsync(one.To, [read.Position], Ct);
        }

        Assert.Equal(0, await Eventually.IsAsync(0, () => after.CountAsync(body)));
    }

    // Not one of them is appended yet.
    private static async Task<(SharedBody Body, Mail[] Mail)> SharedAsync(
        IMessageQueue queue, int mails, int bytes, DateTimeOffset deadline)
    {
        var body = new SharedBody(RandomNumberGenerator.GetBytes(bytes), mails);
        await queue.ShareAsync(body, deadline, Ct);
        var mail = Enumerable.Range(0, mails).Select(_ =>
            SomeMail.To(new DeviceAddress(Ids.New(), 1), RandomNumberGenerator.GetBytes(150), deadline) with { Shared = body });
        return (body, [.. mail]);
    }
}
