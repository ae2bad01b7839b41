using System.Security.Cryptography;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Tests.Storage;

/// <summary>What every message queue does; one subclass per implementation.</summary>
public abstract class MessageQueueSuite
{
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(120);

    /// <summary>Starts at the machine's time, because Redis counts lives on its own clock.</summary>
    internal FakeTimeProvider Time { get; } = new(TimeProvider.System.GetUtcNow());

    internal DeviceAddress Bob { get; } = new(Ids.New(), 1);

    internal DeviceAddress BobsLaptop => Bob with { Device = 2 };

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    internal static QueueCaps Caps { get; } = new(Envelopes: 20, Bytes: 10_000);

    [Fact]
    public async Task Mail_is_read_back_in_the_order_it_was_accepted()
    {
        var queue = await QueueAsync();

        var positions = new List<long>();
        for (byte i = 0; i < 10; i++)
        {
            positions.AddRange((await queue.AppendAsync([MailTo(Bob, [i])], null, Ct))!);
        }

        var read = await queue.ReadAsync(Bob, 0, 100, Ct);
        Assert.Equal(positions.Order(), positions);
        Assert.Equal(positions, read.Select(mail => mail.Position));
        Assert.Equal(Enumerable.Range(0, 10), read.Select(mail => (int)mail.Envelope.Span[0]));
        Assert.Equal(positions[4..7], (await queue.ReadAsync(Bob, positions[3], 3, Ct)).Select(mail => mail.Position));
    }

    [Fact]
    public async Task The_same_mail_is_stored_once_even_after_it_was_acknowledged()
    {
        var queue = await QueueAsync();
        var mail = MailTo(Bob, [1]);

        var first = await queue.AppendAsync([mail], null, Ct);
        var second = await queue.AppendAsync([mail], null, Ct);
        await queue.AckAsync(Bob, first!, Ct);
        var third = await queue.AppendAsync([mail], null, Ct);

        Assert.True(first![0] > 0);
        Assert.Equal(0, Assert.Single(second!));
        Assert.Equal(0, Assert.Single(third!));
        Assert.Empty(await queue.ReadAsync(Bob, 0, 100, Ct));
    }

    [Fact]
    public async Task Acknowledged_mail_is_gone_and_the_rest_stays()
    {
        var queue = await QueueAsync();
        var positions = (await queue.AppendAsync([MailTo(Bob, [1]), MailTo(Bob, [2]), MailTo(Bob, [3])], null, Ct))!;

        await queue.AckAsync(Bob, [positions[1], 12345], Ct);
        await queue.AckAsync(BobsLaptop, [positions[0]], Ct);

        Assert.Equal([positions[0], positions[2]], (await queue.ReadAsync(Bob, 0, 100, Ct)).Select(mail => mail.Position));
        Assert.Equal(2, await queue.CountAsync(Ct));
    }

    [Fact]
    public async Task Mail_for_several_devices_is_stored_for_all_of_them_or_for_none()
    {
        var queue = await QueueAsync();
        for (byte i = 0; i < Caps.Envelopes; i++)
        {
            await queue.AppendAsync([MailTo(BobsLaptop, [i])], null, Ct);
        }

        var refused = await queue.AppendAsync([MailTo(Bob, [1]), MailTo(BobsLaptop, [2])], null, Ct);

        Assert.Null(refused);
        Assert.Empty(await queue.ReadAsync(Bob, 0, 100, Ct));
        Assert.Equal(Caps.Envelopes, (await queue.ReadAsync(BobsLaptop, 0, 100, Ct)).Count);
    }

    [Fact]
    public async Task A_queue_is_capped_by_bytes_and_has_room_again_after_acknowledgements()
    {
        var queue = await QueueAsync();
        var first = (await queue.AppendAsync([MailTo(Bob, new byte[6_000])], null, Ct))!;

        Assert.Null(await queue.AppendAsync([MailTo(Bob, new byte[6_000])], null, Ct));
        await queue.AckAsync(Bob, first, Ct);

        Assert.NotNull(await queue.AppendAsync([MailTo(Bob, new byte[6_000])], null, Ct));
    }

    [Fact]
    public async Task A_full_queue_has_room_again_when_its_mail_has_expired()
    {
        var queue = await QueueAsync();
        for (byte i = 0; i < Caps.Envelopes; i++)
        {
            await queue.AppendAsync([MailTo(Bob, [i], TimeSpan.FromMinutes(30))], null, Ct);
        }

        Time.Advance(TimeSpan.FromMinutes(31));

        Assert.NotNull(await queue.AppendAsync([MailTo(Bob, [99])], null, Ct));
        Assert.Equal(99, Assert.Single(await queue.ReadAsync(Bob, 0, 100, Ct)).Envelope.Span[0]);
    }

    [Fact]
    public async Task Expired_mail_is_not_read_and_is_swept()
    {
        var queue = await QueueAsync();
        await queue.AppendAsync([MailTo(Bob, [1], TimeSpan.FromMinutes(30))], null, Ct);
        await queue.AppendAsync([MailTo(Bob, [2])], null, Ct);

        Time.Advance(TimeSpan.FromMinutes(31));

        Assert.Equal(2, Assert.Single(await queue.ReadAsync(Bob, 0, 100, Ct)).Envelope.Span[0]);
        Assert.Equal(1, await queue.ExpireAsync(Ct));
        Assert.Equal(0, await queue.ExpireAsync(Ct));
        Assert.Equal(1, await queue.CountAsync(Ct));
    }

    [Fact]
    public async Task A_cleared_queue_is_empty_and_others_are_untouched()
    {
        var queue = await QueueAsync();
        await queue.AppendAsync([MailTo(Bob, [1]), MailTo(BobsLaptop, [2])], null, Ct);

        await queue.ClearAsync(Bob, Ct);

        Assert.Empty(await queue.ReadAsync(Bob, 0, 100, Ct));
        Assert.Single(await queue.ReadAsync(BobsLaptop, 0, 100, Ct));
    }

    [Fact]
    public async Task Positions_keep_growing_when_the_queue_was_emptied()
    {
        var queue = await QueueAsync();
        var last = 0L;

        for (byte i = 0; i < 50; i++)
        {
            var position = (await queue.AppendAsync([MailTo(Bob, [i])], null, Ct))![0];
            Assert.True(position > last);
            await queue.AckAsync(Bob, [position], Ct);
            last = position;
        }
    }

    [Fact]
    public async Task Sixty_four_parallel_senders_lose_nothing_and_are_told_their_positions()
    {
        var queue = await QueueAsync(new QueueCaps(10_000, 10_000_000));
        var told = new System.Collections.Concurrent.ConcurrentBag<long>();

        await Parallel.ForAsync(0, 64, Ct, async (sender, ct) =>
        {
            for (var i = 0; i < 25; i++)
            {
                await queue.AppendAsync([MailTo(Bob, [(byte)sender])], Tell, ct);
            }
        });

        var read = await queue.ReadAsync(Bob, 0, 10_000, Ct);
        Assert.Equal(64 * 25, read.Count);
        Assert.Equal(told.Order(), read.Select(mail => mail.Position));
        Assert.All(read.GroupBy(mail => mail.Envelope.Span[0]), group => Assert.Equal(25, group.Count()));

        bool Tell(int index, long position, long previous)
        {
            told.Add(position);
            return false;
        }
    }

    internal abstract Task<IMessageQueue> QueueAsync(QueueCaps? caps = null);

    internal Mail MailTo(DeviceAddress to, byte[] envelope, TimeSpan? life = null)
    {
        Span<byte> once = stackalloc byte[16];
        RandomNumberGenerator.Fill(once);
        return new Mail(
            to,
            System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(once),
            Time.GetUtcNow() + (life ?? Life),
            envelope);
    }
}
