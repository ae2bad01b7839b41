using System.Collections.Concurrent;
using SecureChat.Protocol;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Storage;

/// <summary>What every message queue does.</summary>
public sealed class MessageQueueTests
{
    private DeviceAddress Bob { get; } = new(Ids.New(), 1);

    private DeviceAddress BobsLaptop => Bob with { Device = 2 };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryQueue]
    internal async Task Mail_is_read_back_in_the_order_it_was_accepted(IMessageQueue queue, TestClock clock)
    {
        var positions = new List<long>();
        for (byte i = 0; i < 10; i++)
        {
            positions.AddRange((await queue.AppendAsync([MailTo(Bob, clock, [i])], null, Ct))!);
        }

        var read = await queue.ReadAsync(Bob, 0, 100, Ct);
        Assert.Equal(positions.Order(), positions);
        Assert.Equal(positions, read.Select(mail => mail.Position));
        Assert.Equal(Enumerable.Range(0, 10), read.Select(mail => (int)mail.Envelope.Span[0]));
        Assert.Equal(positions[4..7], (await queue.ReadAsync(Bob, positions[3], 3, Ct)).Select(mail => mail.Position));
    }

    [Theory, EveryQueue]
    internal async Task Envelope_and_deadline_come_back_unchanged(IMessageQueue queue, TestClock clock)
    {
        var envelope = Enumerable.Range(0, 9_000).Select(i => (byte)i).ToArray();
        var mail = MailTo(Bob, clock, envelope, TimeSpan.FromMinutes(45));
        await queue.AppendAsync([mail], null, Ct);
        await clock.PassAsync(TimeSpan.FromMilliseconds(20));

        var read = Assert.Single(await queue.ReadAsync(Bob, 0, 100, Ct));

        Assert.Equal(envelope, read.Envelope.ToArray());
        Assert.Equal(mail.Deadline.ToUnixTimeMilliseconds(), read.Deadline.ToUnixTimeMilliseconds());
    }

    [Theory, EveryQueue]
    internal async Task The_same_mail_is_stored_once_even_after_it_was_acknowledged(IMessageQueue queue, TestClock clock)
    {
        var mail = MailTo(Bob, clock, [1]);

        var first = await queue.AppendAsync([mail], null, Ct);
        var second = await queue.AppendAsync([mail], null, Ct);
        await queue.AckAsync(Bob, first!, Ct);
        var third = await queue.AppendAsync([mail], null, Ct);

        Assert.True(first![0] > 0);
        Assert.Equal(0, Assert.Single(second!));
        Assert.Equal(0, Assert.Single(third!));
        Assert.Empty(await queue.ReadAsync(Bob, 0, 100, Ct));
    }

    [Theory, EveryQueue]
    internal async Task The_same_mail_sent_in_parallel_is_stored_once_and_nobody_is_refused(IMessageQueue queue, TestClock clock)
    {
        var mail = MailTo(Bob, clock, [1]);

        var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => queue.AppendAsync([mail], null, Ct)));

        Assert.Single(answers, positions => positions![0] > 0);
        Assert.Single(await queue.ReadAsync(Bob, 0, 100, Ct));
    }

    [Theory, EveryQueue]
    internal async Task A_retry_finds_its_new_devices_and_counts_for_the_known_ones(IMessageQueue queue, TestClock clock)
    {
        var phone = MailTo(Bob, clock, [1]);
        var laptop = MailTo(BobsLaptop, clock, [1]);
        await queue.AppendAsync([phone], null, Ct);

        var retried = await queue.AppendAsync([phone, laptop], null, Ct);

        Assert.Equal(0, retried![0]);
        Assert.True(retried[1] > 0);
        Assert.Single(await queue.ReadAsync(Bob, 0, 100, Ct));
        Assert.Single(await queue.ReadAsync(BobsLaptop, 0, 100, Ct));
    }

    [Theory, EveryQueue]
    internal async Task Acknowledged_mail_is_gone_and_the_rest_stays(IMessageQueue queue, TestClock clock)
    {
        var positions = (await queue.AppendAsync(
            [MailTo(Bob, clock, [1]), MailTo(Bob, clock, [2]), MailTo(Bob, clock, [3])], null, Ct))!;

        await queue.AckAsync(Bob, [positions[1], 12345], Ct);
        await queue.AckAsync(Bob, [positions[1]], Ct);
        await queue.AckAsync(BobsLaptop, [positions[0]], Ct);

        Assert.Equal([positions[0], positions[2]], (await queue.ReadAsync(Bob, 0, 100, Ct)).Select(mail => mail.Position));
        Assert.Equal(2, await queue.CountAsync(Ct));
    }

    [Theory, EveryQueue]
    internal async Task Mail_for_several_devices_is_stored_for_all_of_them_or_for_none(IMessageQueue queue, TestClock clock)
    {
        await FillAsync(queue, BobsLaptop, clock);

        var refused = await queue.AppendAsync([MailTo(Bob, clock, [1]), MailTo(BobsLaptop, clock, [2])], null, Ct);

        Assert.Null(refused);
        Assert.Empty(await queue.ReadAsync(Bob, 0, 100, Ct));
        Assert.Equal(TestStores.SmallCaps.Envelopes, (await queue.ReadAsync(BobsLaptop, 0, 100, Ct)).Count);
    }

    [Theory, EveryQueue]
    internal async Task Mail_that_would_fill_a_queue_beyond_its_cap_in_one_go_is_refused_whole(IMessageQueue queue, TestClock clock)
    {
        var tooMany = Enumerable.Range(0, TestStores.SmallCaps.Envelopes + 1).Select(i => MailTo(Bob, clock, [(byte)i])).ToArray();

        Assert.Null(await queue.AppendAsync(tooMany, null, Ct));

        Assert.Empty(await queue.ReadAsync(Bob, 0, 100, Ct));
        Assert.NotNull(await queue.AppendAsync(tooMany[1..], null, Ct));
    }

    [Theory, EveryQueue]
    internal async Task A_full_queue_still_knows_what_it_holds(IMessageQueue queue, TestClock clock)
    {
        var mail = MailTo(Bob, clock, [1]);
        await queue.AppendAsync([mail], null, Ct);
        await FillAsync(queue, Bob, clock);

        Assert.Equal(0, Assert.Single((await queue.AppendAsync([mail], null, Ct))!));
        Assert.Null(await queue.AppendAsync([MailTo(Bob, clock, [2])], null, Ct));
    }

    [Theory, EveryQueue]
    internal async Task A_queue_is_capped_by_bytes_and_has_room_again_after_acknowledgements(IMessageQueue queue, TestClock clock)
    {
        var first = (await queue.AppendAsync([MailTo(Bob, clock, new byte[6_000])], null, Ct))!;

        Assert.Null(await queue.AppendAsync([MailTo(Bob, clock, new byte[6_000])], null, Ct));
        await queue.AckAsync(Bob, first, Ct);

        Assert.NotNull(await queue.AppendAsync([MailTo(Bob, clock, new byte[6_000])], null, Ct));
    }

    [Theory, EveryQueue]
    internal async Task A_full_queue_has_room_again_when_its_mail_has_expired(IMessageQueue queue, TestClock clock)
    {
        await FillAsync(queue, Bob, clock, TimeSpan.FromMinutes(30));

        await clock.PassAsync(TimeSpan.FromMinutes(31));

        Assert.NotNull(await queue.AppendAsync([MailTo(Bob, clock, [99])], null, Ct));
        Assert.Equal(99, Assert.Single(await queue.ReadAsync(Bob, 0, 100, Ct)).Envelope.Span[0]);
    }

    [Theory, EveryQueue]
    internal async Task Expired_mail_is_not_read_and_is_swept(IMessageQueue queue, TestClock clock)
    {
        await queue.AppendAsync([MailTo(Bob, clock, [1], TimeSpan.FromMinutes(30))], null, Ct);
        await queue.AppendAsync([MailTo(Bob, clock, [2])], null, Ct);

        await clock.PassAsync(TimeSpan.FromMinutes(31));

        Assert.Equal(2, Assert.Single(await queue.ReadAsync(Bob, 0, 100, Ct)).Envelope.Span[0]);
        Assert.Equal(1, await queue.ExpireAsync(Ct));
        Assert.Equal(0, await queue.ExpireAsync(Ct));
        Assert.Equal(1, await queue.CountAsync(Ct));
    }

    [Theory, EveryQueue]
    internal async Task Mail_past_its_deadline_is_not_stored(IMessageQueue queue, TestClock clock)
    {
        var late = await queue.AppendAsync([MailTo(Bob, clock, [1], TimeSpan.FromSeconds(-1))], null, Ct);

        Assert.Equal(0, Assert.Single(late!));
        Assert.Equal(0, await queue.CountAsync(Ct));
    }

    [Theory, EveryQueue]
    internal async Task A_cleared_queue_is_empty_and_others_are_untouched(IMessageQueue queue, TestClock clock)
    {
        var mail = MailTo(Bob, clock, [1]);
        await queue.AppendAsync([mail, MailTo(BobsLaptop, clock, [2])], null, Ct);

        await queue.ClearAsync(Bob, Ct);

        Assert.Empty(await queue.ReadAsync(Bob, 0, 100, Ct));
        Assert.Single(await queue.ReadAsync(BobsLaptop, 0, 100, Ct));
        Assert.True((await queue.AppendAsync([mail], null, Ct))![0] > 0);
        Assert.Single(await queue.ReadAsync(Bob, 0, 100, Ct));
    }

    [Theory, EveryQueue]
    internal async Task Positions_keep_growing_when_the_queue_was_emptied(IMessageQueue queue, TestClock clock)
    {
        var last = 0L;

        for (byte i = 0; i < 50; i++)
        {
            var position = (await queue.AppendAsync([MailTo(Bob, clock, [i])], null, Ct))![0];
            Assert.True(position > last);
            await queue.AckAsync(Bob, [position], Ct);
            last = position;
        }
    }

    [Theory, EveryQueue]
    internal async Task Sixty_four_parallel_senders_lose_nothing_and_are_told_their_positions(TestStores stores)
    {
        var queue = await stores.QueueAsync(new QueueCaps(10_000, 10_000_000));
        var told = new ConcurrentBag<long>();

        await Parallel.ForAsync(0, 64, Ct, async (sender, ct) =>
        {
            for (var i = 0; i < 25; i++)
            {
                await queue.AppendAsync([MailTo(Bob, stores.Clock, [(byte)sender, (byte)i])], Tell, ct);
            }
        });

        var read = await queue.ReadAsync(Bob, 0, 10_000, Ct);
        Assert.Equal(64 * 25, read.Count);
        Assert.Equal(told.Order(), read.Select(mail => mail.Position));
        Assert.All(
            read.GroupBy(mail => mail.Envelope.Span[0]),
            sender => Assert.Equal(Enumerable.Range(0, 25), sender.Select(mail => (int)mail.Envelope.Span[1])));

        bool Tell(int index, long position, long previous)
        {
            told.Add(position);
            return false;
        }
    }

    [Theory, EveryQueue]
    internal async Task What_was_given_a_position_can_be_read_at_once(IMessageQueue queue, TestClock clock)
    {
        var positioned = 0L;
        var accepted = queue.AppendAsync([MailTo(Bob, clock, [1])], Note, Ct);
        while (Volatile.Read(ref positioned) == 0)
        {
            await Task.Yield();
        }

        Assert.Equal(positioned, Assert.Single(await queue.ReadAsync(Bob, 0, 100, Ct)).Position);
        Assert.Equal(positioned, Assert.Single((await accepted)!));

        bool Note(int index, long position, long previous)
        {
            Volatile.Write(ref positioned, position);
            return false;
        }
    }

    [Theory, EveryQueue]
    internal async Task A_reader_that_starts_anywhere_meets_every_message_once(TestStores stores)
    {
        var queue = await stores.QueueAsync(new QueueCaps(10_000, 10_000_000));
        var sending = Parallel.ForAsync(0, 16, Ct, async (sender, ct) =>
        {
            for (var i = 0; i < 50; i++)
            {
                await queue.AppendAsync([MailTo(Bob, stores.Clock, [(byte)sender, (byte)i])], null, ct);
            }
        });

        var met = new List<int>();
        var after = 0L;
        while (met.Count < 16 * 50)
        {
            foreach (var mail in await queue.ReadAsync(Bob, after, 7, Ct))
            {
                after = mail.Position;
                met.Add((mail.Envelope.Span[0] * 256) + mail.Envelope.Span[1]);
                await queue.AckAsync(Bob, [mail.Position], Ct);
            }

            Assert.False(sending.IsCompleted && met.Count < 16 * 50 && await queue.CountAsync(Ct) == 0, "A message was passed over.");
        }

        await sending;
        Assert.Equal(16 * 50, met.Distinct().Count());
        Assert.Equal(0, await queue.CountAsync(Ct));
    }

    private static Mail MailTo(DeviceAddress to, TestClock clock, byte[] envelope, TimeSpan? life = null) =>
        SomeMail.To(to, envelope, clock.Now + (life ?? TimeSpan.FromMinutes(120)));

    private static async Task FillAsync(IMessageQueue queue, DeviceAddress device, TestClock clock, TimeSpan? life = null)
    {
        for (var i = (await queue.ReadAsync(device, 0, 1000, Ct)).Count; i < TestStores.SmallCaps.Envelopes; i++)
        {
            Assert.NotNull(await queue.AppendAsync([MailTo(device, clock, [(byte)i], life)], null, Ct));
        }
    }
}
