using SecureChat.Server.Storage;

namespace SecureChat.Server.Tests.Storage;

public sealed class SqliteMessageQueueTests : MessageQueueSuite, IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-queue-");
    private readonly List<SqliteMessageQueue> _open = [];

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
    public async Task A_clock_that_is_set_back_neither_reorders_nor_prolongs()
    {
        var before = Open();
        await before.AppendAsync([MailTo(Bob, [1], TimeSpan.FromMinutes(30))], null, Ct);
        Time.Advance(TimeSpan.FromMinutes(31));
        var late = (await before.AppendAsync([MailTo(Bob, [2])], null, Ct))![0];
        before.Dispose();

        Time.AdjustTime(Time.GetUtcNow() - TimeSpan.FromDays(1));
        var after = Open();

        Assert.Equal(2, Assert.Single(await after.ReadAsync(Bob, 0, 10, Ct)).Envelope.Span[0]);
        Assert.True((await after.AppendAsync([MailTo(Bob, [3], TimeSpan.FromDays(2))], null, Ct))![0] > late);
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
        Assert.All(_folder.GetFiles(), file => Assert.Equal(-1, File.ReadAllBytes(file.FullName).AsSpan().IndexOf("never on disk"u8)));

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
        Assert.Contains(_folder.GetFiles(), file => Holds(file, "on disk"u8));
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
        Assert.Contains(_folder.GetFiles(), file => Holds(file, "on disk after all"u8));
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
        Assert.Contains(_folder.GetFiles(), file => Holds(file, "a canary in the queue"u8));

        await queue.AckAsync(Bob, position!, Ct);
        queue.Dispose();

        Assert.DoesNotContain(_folder.GetFiles(), file => Holds(file, "a canary in the queue"u8));
    }

    public void Dispose()
    {
        _open.ForEach(queue => queue.Dispose());
        _folder.Delete(recursive: true);
    }

    internal override Task<IMessageQueue> QueueAsync(QueueCaps? caps = null) =>
        Task.FromResult<IMessageQueue>(Open(caps));

    private static bool Holds(FileInfo file, ReadOnlySpan<byte> text)
    {
        using var stream = new FileStream(file.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes.AsSpan().IndexOf(text) >= 0;
    }

    private SqliteMessageQueue Open(QueueCaps? caps = null, TimeSpan patience = default)
    {
        var queue = new SqliteMessageQueue(
            Path.Combine(_folder.FullName, "queue.db"), caps ?? Caps, survivesPowerLoss: false, patience, Time);
        _open.Add(queue);
        return queue;
    }
}
