using System.Globalization;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;

namespace SecureChat.Client.Messages;

/// <summary>What is told to the application: durable events until it has taken them, passing ones to whoever listens.</summary>
internal sealed class EventFeed : IDisposable
{
    /// <summary>Passing events that nobody takes push out the oldest: an app that does not listen must not fill the memory.</summary>
    private const int MaxPassing = 1000;

    private readonly Channel<ChatEvent> _passing = Channel.CreateBounded<ChatEvent>(
        new BoundedChannelOptions(MaxPassing) { FullMode = BoundedChannelFullMode.DropOldest });

    private readonly SemaphoreSlim _news = new(0);

    /// <summary>Tells whoever listens now.</summary>
    public void Pass(ChatEvent passing)
    {
        _passing.Writer.TryWrite(passing);
        Announce();
    }

    /// <summary>Keeps an event with the changes that it is about. A message's changes that were not told yet are told as one.</summary>
    public void Add(StoreTransaction rows, EventRecord record)
    {
        var mark = Ids.New();
        record.Mark = mark.ToBytes();
        rows.Put(Tables.Events, NameOf(record) ?? string.Create(CultureInfo.InvariantCulture, $"{mark:N}"), record);
        rows.Afterwards(Announce);
    }

    /// <summary>Every event, from the oldest that was not taken. One is taken when the next is asked for.</summary>
    public async IAsyncEnumerable<ChatEvent> ReadAsync(StoreTurns turns, [EnumeratorCancellation] CancellationToken ct)
    {
        // What an earlier reader left is there without news of it.
        while (true)
        {
            await foreach (var told in ReadPendingAsync(turns, ct))
            {
                yield return told;
            }

            await _news.WaitAsync(ct);
        }
    }

    /// <summary>The same, to the last one that is there.</summary>
    public async IAsyncEnumerable<ChatEvent> ReadPendingAsync(StoreTurns turns, [EnumeratorCancellation] CancellationToken ct)
    {
        while (_passing.Reader.TryRead(out var passing))
        {
            yield return passing;
        }

        while (await turns.RunAsync(async rows => await rows.ListAsync(Tables.Events, ct), ct) is { Count: > 0 } kept)
        {
            foreach (var name in kept.Select(row => row.Key))
            {
                var (told, mark) = await turns.RunAsync(rows => MaterialiseAsync(rows, name, ct), ct);
                if (told is not null)
                {
                    yield return told;
                }

                await turns.RunAsync(rows => TakeAsync(rows, name, mark, ct), ct);
            }
        }
    }

    public void Dispose() => _news.Dispose();

    private void Announce()
    {
        if (_news.CurrentCount == 0)
        {
            _news.Release();
        }
    }

    /// <summary>Where news of a message waits that the next of its kind replaces; null: each is told.</summary>
    private static string? NameOf(EventRecord record) => record.BodyCase switch
    {
        EventRecord.BodyOneofCase.Changed => NameOf("changed", record.Changed),
        EventRecord.BodyOneofCase.Progress => NameOf("progress", record.Progress),
        _ => null,
    };

    private static string NameOf(string kind, EventRecord.Types.ContentName of) =>
        $"{kind}/{Tables.Hex(of.Conversation)}/{Tables.Key(of.Sender, of.Id)}";

    /// <summary>Takes away what was told, unless the message has changed since: that is still to be told.</summary>
    private static async Task TakeAsync(StoreTransaction rows, string name, ByteString? mark, CancellationToken ct)
    {
        if ((await rows.ReadAsync(Tables.Events, name, ct))?.Mark == mark)
        {
            rows.Remove(Tables.Events, name);
        }
    }

    private static async Task<(ChatEvent? Told, ByteString? Mark)> MaterialiseAsync(StoreTransaction rows, string name, CancellationToken ct) =>
        await rows.ReadAsync(Tables.Events, name, ct) is { } record
            ? (await MaterialiseAsync(rows, record, ct), record.Mark)
            : (null, null);

    private static async Task<ChatEvent?> MaterialiseAsync(StoreTransaction rows, EventRecord record, CancellationToken ct) =>
        record.BodyCase switch
        {
            EventRecord.BodyOneofCase.Message =>
                await FindAsync(rows, record.Message, ct) is { } message ? new MessageReceived(message) : null,
            EventRecord.BodyOneofCase.Changed =>
                await FindAsync(rows, record.Changed, ct) is { } message ? new MessageChanged(message) : null,
            EventRecord.BodyOneofCase.Progress =>
                await FindAsync(rows, record.Progress, ct) is { } message ? new MessageProgressed(message) : null,
            EventRecord.BodyOneofCase.Erased => new MessageErased(
                record.Erased.Conversation.ToGuid(), record.Erased.Sender.ToGuid(), record.Erased.Id.ToGuid()),
            EventRecord.BodyOneofCase.IdentityChanged => new IdentityChanged(record.IdentityChanged.ToGuid()),
            EventRecord.BodyOneofCase.DeviceAdded => new DeviceLinked((int)record.DeviceAdded),
            EventRecord.BodyOneofCase.Group when record.Group.Fault == 0 => new GroupChanged(record.Group.Conversation.ToGuid()),
            EventRecord.BodyOneofCase.Group => new GroupRefused(
                record.Group.Conversation.ToGuid(), (GroupFault)(int)record.Group.Fault,
                record.Group.Account.IsEmpty ? null : record.Group.Account.ToGuid()),
            EventRecord.BodyOneofCase.ListFault => new DeviceListInvalid(
                record.ListFault.Account.ToGuid(), (DeviceListFault)(int)record.ListFault.Fault),
            _ => null,
        };

    private static async Task<ChatMessage?> FindAsync(
        StoreTransaction rows, EventRecord.Types.ContentName name, CancellationToken ct) =>
        await rows.ReadAsync(Tables.Messages(name.Conversation), Tables.Key(name.Sender, name.Id), ct) is { } record
            ? new ChatMessage(record)
            : null;
}
