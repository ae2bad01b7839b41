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
        var queue = Open(gather: TimeSpan.FromSeconds(30));

        var position = 0L;
        var accepted = queue.AppendAsync([MailTo(Bob, "never on disk"u8.ToArray())], (_, given, _) => position = given, Ct);
        Assert.False(accepted.IsCompleted);
        await queue.AckAsync(Bob, [position], Ct);

        Assert.Equal(position, Assert.Single((await accepted)!));
        queue.Dispose();
        Assert.All(_folder.GetFiles(), file => Assert.Equal(-1, File.ReadAllBytes(file.FullName).AsSpan().IndexOf("never on disk"u8)));
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

    private SqliteMessageQueue Open(QueueCaps? caps = null, TimeSpan gather = default)
    {
        var queue = new SqliteMessageQueue(
            Path.Combine(_folder.FullName, "queue.db"), caps ?? Caps, survivesPowerLoss: false, gather, Time);
        _open.Add(queue);
        return queue;
    }
}
