using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Storage;

/// <summary>What the embedded queue promises beyond <see cref="MessageQueueTests"/>.</summary>
public sealed class SqliteMessageQueueTests : IDisposable
{
    private static readonly DeviceAddress Bob = new(Ids.New(), 1);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-queue-");
    private readonly List<SqliteMessageQueue> _open = [];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private IEnumerable<FileInfo> Files => _folder.GetFiles();

    private FakeTimeProvider Time { get; } = new(TimeProvider.System.GetUtcNow());

    [Fact]
    public async Task What_was_accepted_is_there_after_a_restart_and_stays_known()
    {
        var mail = MailTo(Bob, [7]);
        var acknowledged = MailTo(Bob, [8]);
        var before = Open();
        await before.AppendAsync([mail], null, Ct);
        var position = await before.AppendAsync([acknowledged], null, Ct);
        await before.AckAsync(Bob, position!, Ct);
        before.Dispose();

        var after = Open();

        Assert.Equal(7, Assert.Single(await after.ReadAsync(Bob, 0, 10, Ct)).Envelope.Span[0]);
        Assert.Equal(0, Assert.Single((await after.AppendAsync([mail], null, Ct))!));
        Assert.Equal(0, Assert.Single((await after.AppendAsync([acknowledged], null, Ct))!));
    }

    [Fact]
    public async Task T20_a_clock_that_is_set_back_neither_reorders_nor_prolongs()
    {
        var before = Open();
        await before.AppendAsync([MailTo(Bob, [1], TimeSpan.FromMinutes(30))], null, Ct);
        Time.Advance(TimeSpan.FromMinutes(31));
        var late = (await before.AppendAsync([MailTo(Bob, [2])], null, Ct))![0];
        before.Dispose();

        Time.AdjustTime(Time.GetUtcNow() - TimeSpan.FromDays(1));
        var after = Open();

        Assert.Equal(2, Assert.Single(await after.ReadAsync(Bob, 0, 10, Ct)).Envelope.Span[0]);
        Assert.True((await after.AppendAsync([MailTo(Bob, [3], TimeSpan.FromMinutes(30))], null, Ct))![0] > late);
        Time.Advance(TimeSpan.FromMinutes(31));
        Assert.DoesNotContain(await after.ReadAsync(Bob, 0, 10, Ct), mail => mail.Envelope.Span[0] == 3);
    }

    [Fact]
    public async Task A_clock_that_was_wrongly_ahead_for_a_while_loses_no_new_mail()
    {
        var queue = Open();
        Time.AdjustTime(Time.GetUtcNow() + TimeSpan.FromDays(1));
        await queue.AppendAsync([MailTo(Bob, [1])], null, Ct);
        Time.AdjustTime(Time.GetUtcNow() - TimeSpan.FromDays(1));

        var mail = MailTo(Bob, [2], TimeSpan.FromMinutes(30));
        Assert.True((await queue.AppendAsync([mail], null, Ct))![0] > 0);

        var read = (await queue.ReadAsync(Bob, 0, 10, Ct)).Single(stored => stored.Envelope.Span[0] == 2);
        Assert.Equal(mail.Deadline.ToUnixTimeMilliseconds(), read.Deadline.ToUnixTimeMilliseconds());
        Time.Advance(TimeSpan.FromMinutes(31));
        Assert.DoesNotContain(await queue.ReadAsync(Bob, 0, 10, Ct), stored => stored.Envelope.Span[0] == 2);
    }

    [Fact]
    public async Task Positions_grow_across_a_restart_of_an_emptied_queue_even_when_the_clock_was_set_back()
    {
        var before = Open();
        var last = (await before.AppendAsync([MailTo(Bob, [1])], null, Ct))![0];
        await before.AckAsync(Bob, [last], Ct);
        Time.Advance(TimeSpan.FromHours(3));
        await before.ExpireAsync(Ct);
        before.Dispose();

        Time.AdjustTime(Time.GetUtcNow() - TimeSpan.FromDays(1));
        var after = Open();

        Assert.True((await after.AppendAsync([MailTo(Bob, [2])], null, Ct))![0] > last);
    }

    [Fact]
    public async Task What_expired_unread_may_be_sent_again()
    {
        var queue = Open();
        var mail = MailTo(Bob, [1], TimeSpan.FromMinutes(30));
        await queue.AppendAsync([mail], null, Ct);
        Time.Advance(TimeSpan.FromMinutes(31));
        await queue.ExpireAsync(Ct);

        var again = await queue.AppendAsync([mail with { Deadline = Time.GetUtcNow() + TimeSpan.FromMinutes(30) }], null, Ct);

        Assert.True(again![0] > 0);
        Assert.Single(await queue.ReadAsync(Bob, 0, 10, Ct));
    }

    [Fact]
    public async Task Mail_acknowledged_before_its_commit_is_accepted_and_never_written()
    {
        var queue = Open(patience: TimeSpan.FromSeconds(30));

        var position = 0L;
        var accepted = queue.AppendAsync([MailTo(Bob, "never on disk"u8.ToArray())], HandOver, Ct);
        Assert.False(accepted.IsCompleted);
        await queue.AckAsync(Bob, [position], Ct);

        Assert.Equal(position, Assert.Single((await accepted)!));
        queue.Dispose();
        Assert.All(Files, file => Assert.Equal(-1, File.ReadAllBytes(file.FullName).AsSpan().IndexOf("never on disk"u8)));

        bool HandOver(int index, long given, long previous)
        {
            position = given;
            return true;
        }
    }

    [Fact]
    public async Task Mail_for_a_device_that_is_away_is_written_without_waiting_for_an_acknowledgement()
    {
        var queue = Open(patience: TimeSpan.FromMinutes(10));

        var positions = await queue.AppendAsync([MailTo(Bob, "on disk"u8.ToArray())], (_, _, _) => false, Ct);

        Assert.NotEqual(0, Assert.Single(positions!));
        Assert.Contains(Files, file => Holds(file, "on disk"u8));
    }

    [Fact]
    public async Task Mail_that_was_handed_over_and_never_acknowledged_is_written_and_accepted_all_the_same()
    {
        var queue = Open(patience: TimeSpan.FromMilliseconds(20));
        var mail = MailTo(Bob, "on disk after all"u8.ToArray());

        var first = queue.AppendAsync([mail], (_, _, _) => true, Ct);
        var again = queue.AppendAsync([mail], (_, _, _) => true, Ct);

        Assert.NotEqual(0, Assert.Single((await first)!));
        Assert.Equal(0, Assert.Single((await again)!));
        Assert.Contains(Files, file => Holds(file, "on disk after all"u8));
    }

    [Fact]
    public async Task Mail_that_was_handed_over_survives_a_stop_before_its_acknowledgement()
    {
        var before = Open(patience: TimeSpan.FromMinutes(10));
        var accepted = before.AppendAsync([MailTo(Bob, [7])], (_, _, _) => true, Ct);
        before.Dispose();

        Assert.NotNull(await accepted);
        Assert.Equal(7, Assert.Single(await Open().ReadAsync(Bob, 0, 10, Ct)).Envelope.Span[0]);
    }

    [Fact]
    public async Task Acknowledged_content_is_overwritten_in_the_file()
    {
        var queue = Open();
        var position = await queue.AppendAsync([MailTo(Bob, "a canary in the queue"u8.ToArray())], null, Ct);
        Assert.Contains(Files, file => Holds(file, "a canary in the queue"u8));

        await queue.AckAsync(Bob, position!, Ct);
        await queue.ExpireAsync(Ct);
        queue.Dispose();

        Assert.DoesNotContain(Files, file => Holds(file, "a canary in the queue"u8));
    }

    [Fact]
    public async Task A_sweep_leaves_no_acknowledged_content_in_the_files_of_a_running_server()
    {
        var queue = Open();
        var large = new byte[50_000];
        "a canary in the queue"u8.CopyTo(large.AsSpan(40_000));
        var position = await queue.AppendAsync([MailTo(Bob, large)], null, Ct);
        await queue.AckAsync(Bob, position!, Ct);

        await queue.ExpireAsync(Ct);
        await queue.ExpireAsync(Ct);

        Assert.DoesNotContain(Files, file => Holds(file, "a canary in the queue"u8));
    }

    public void Dispose()
    {
        _open.ForEach(queue => queue.Dispose());
        _folder.Delete(recursive: true);
    }

    private Mail MailTo(DeviceAddress to, byte[] envelope, TimeSpan? life = null) =>
        SomeMail.To(to, envelope, Time.GetUtcNow() + (life ?? TimeSpan.FromMinutes(120)));

    private static bool Holds(FileInfo file, ReadOnlySpan<byte> text)
    {
        using var stream = new FileStream(file.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes.AsSpan().IndexOf(text) >= 0;
    }

    private SqliteMessageQueue Open(TimeSpan patience = default)
    {
        var queue = new SqliteMessageQueue(
            Path.Combine(_folder.FullName, "queue.db"), new QueueCaps(1_000, 1_000_000), survivesPowerLoss: false, patience, Time);
        _open.Add(queue);
        return queue;
    }
}
