using Google.Protobuf;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Messages;

/// <summary>What the application is told of messages that change faster than it takes the news.</summary>
public sealed class EventFeedTests : IDisposable
{
    private readonly EventFeed _feed = new();
    private readonly StoreTurns _turns;
    private readonly MessageRecord _message = new()
    {
        Conversation = Guid.Empty.ToBytes(),
        Sender = Guid.Empty.ToBytes(),
        Id = ByteString.CopyFrom(new byte[16]),
    };

    public EventFeedTests() => _turns = new StoreTurns(new MemoryStore());

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Changes_that_nobody_has_taken_are_told_once_as_the_message_stands()
    {
        await ChangeAsync("first");
        await ChangeAsync("second");
        await ChangeAsync("third");

        Assert.Equal(["third"], await PendingAsync());
        Assert.Empty(await PendingAsync());
    }

    [Fact]
    public async Task A_change_that_comes_while_the_one_before_is_in_hand_is_told_too()
    {
        await ChangeAsync("first");
        var told = new List<string?>();
        await foreach (var one in _feed.ReadPendingAsync(_turns, Ct))
        {
            told.Add(TextOf(one));
            if (told.Count == 1)
            {
                await ChangeAsync("second");
                await ChangeAsync("third");
            }
        }

        Assert.Equal(["first", "third"], told);
    }

    [Fact]
    public async Task Progress_that_nobody_has_taken_is_told_once()
    {
        await ProgressAsync(MessageProgress.Sent);
        await ProgressAsync(MessageProgress.Delivered);

        var told = new List<Progress>();
        await foreach (var one in _feed.ReadPendingAsync(_turns, Ct))
        {
            told.Add(Assert.IsType<MessageProgressed>(one).Message.Progress);
        }

        Assert.Equal([Progress.Delivered], told);
    }

    [Fact]
    public async Task No_two_events_of_one_message_say_the_same()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var sent = await alice.SendAsync(bob, "at six");
        await bob.TextAsync("at six");
        await bob.Client.DisconnectAsync(Ct);
        foreach (var text in new[] { "at seven", "at eight", "at nine" })
        {
            await alice.Client.EditAsync(sent, text, Ct);
        }

        await bob.Client.ConnectAsync(Ct);
        await bob.EventAsync<MessageChanged>(told => told.Message.Text == "at nine");

        await alice.SendAsync(bob, "after");
        await bob.TextAsync("after");
        Assert.Distinct(bob.Events<MessageChanged>().Select(told => told.Message.Text));
    }

    public void Dispose()
    {
        _feed.Dispose();
        _turns.Dispose();
    }

    private static string? TextOf(ChatEvent told) => Assert.IsType<MessageChanged>(told).Message.Text;

    private async Task<List<string?>> PendingAsync()
    {
        var told = new List<string?>();
        await foreach (var one in _feed.ReadPendingAsync(_turns, Ct))
        {
            told.Add(TextOf(one));
        }

        return told;
    }

    private Task ChangeAsync(string text)
    {
        _message.Content = new Content { Text = new Text { Body = text } };
        return PutAsync(new EventRecord { Changed = Name() });
    }

    private Task ProgressAsync(MessageProgress progress)
    {
        (_message.Content, _message.Progress) = (new Content(), progress);
        return PutAsync(new EventRecord { Progress = Name() });
    }

    private Task PutAsync(EventRecord record) => _turns.RunAsync(
        rows =>
        {
            rows.Put(Tables.Messages(_message.Conversation), Tables.Key(_message.Sender, _message.Id), _message);
            _feed.Add(rows, record);
            return Task.CompletedTask;
        },
        Ct);

    private EventRecord.Types.ContentName Name() =>
        new() { Conversation = _message.Conversation, Sender = _message.Sender, Id = _message.Id };
}
