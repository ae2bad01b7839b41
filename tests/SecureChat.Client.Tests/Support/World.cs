using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Testing;

namespace SecureChat.Client.Tests.Support;

/// <summary>A server and people on one clock, which a test steps.</summary>
internal sealed class World : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Stack<IAsyncDisposable> _made = new();

    private World(FakeServer server, FakeTimeProvider clock) => (Server, Clock) = (server, clock);

    public FakeServer Server { get; }

    public FakeTimeProvider Clock { get; }

    public static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static async Task<World> StartAsync(params (string Name, string Value)[] settings)
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
        return new World(await FakeServer.StartAsync(clock, Ct, settings), clock);
    }

    /// <summary>Somebody who has signed up and is connected.</summary>
    public async Task<Person> PersonAsync(Func<ChatOptions, ChatOptions>? change = null, ILocalStore? store = null)
    {
        var options = Server.OptionsFor(store ?? new MemoryStore());
        options = change?.Invoke(options) ?? options;
        var client = await ChatClient.SignUpAsync(options, SignUpProof.Invite(await Server.CreateInviteAsync(Ct)), Ct);
        var person = new Person(this, options, client);
        _made.Push(person);
        await client.ConnectAsync(Ct);
        return person;
    }

    /// <summary>Another device of somebody, as linking makes it.</summary>
    public async Task<Person> LinkedAsync(Person primary, ILocalStore? store = null)
    {
        var options = Server.OptionsFor(store ?? new MemoryStore());
        var person = new Person(this, options, await primary.LinkAsync(options));
        _made.Push(person);
        await person.Client.ConnectAsync(Ct);
        return person;
    }

    /// <summary>Two who have written to each other.</summary>
    public async Task<(Person Alice, Person Bob)> FriendsAsync()
    {
        var (alice, bob) = (await PersonAsync(), await PersonAsync());
        await alice.SendAsync(bob, "hello");
        await bob.TextAsync("hello");
        await bob.SendAsync(alice, "hello you");
        await alice.TextAsync("hello you");
        return (alice, bob);
    }

    /// <summary>What is asked of the server from now on; it grows while it is read, for requests run beside the test.</summary>
    public ConcurrentQueue<T> Asked<T>(Func<HttpRequestMessage, bool> isMeant, Func<HttpRequestMessage, T> tell)
    {
        var asked = new ConcurrentQueue<T>();
        Server.Network.OnRequest = request =>
        {
            if (isMeant(request))
            {
                asked.Enqueue(tell(request));
            }

            return Fault.None;
        };
        return asked;
    }

    /// <summary>Lets time pass in steps until something holds.</summary>
    public async Task UntilAsync(Func<Task<bool>> holds, TimeSpan? step = null)
    {
        var watch = Stopwatch.StartNew();
        while (!await holds())
        {
            Assert.True(watch.Elapsed < Patience, "It did not come to hold.");
            await PassAsync(step ?? TimeSpan.FromSeconds(1));
        }
    }

    /// <summary>Lets time pass, and those whom it wakes work until they have nothing to do any more.</summary>
    public async Task PassAsync(TimeSpan time)
    {
        await SettleAsync();
        Clock.Advance(time);
        await SettleAsync();
    }

    private static async Task SettleAsync()
    {
        var watch = Stopwatch.StartNew();
        for (var isQuiet = false; !isQuiet && watch.Elapsed < Patience;)
        {
            var done = ThreadPool.CompletedWorkItemCount;
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Ct);

            // Server and clients live in this process, and this wait is some of its work itself.
            isQuiet = ThreadPool.PendingWorkItemCount == 0 && ThreadPool.CompletedWorkItemCount - done <= 4;
        }
    }

    public async ValueTask DisposeAsync()
    {
        while (_made.TryPop(out var made))
        {
            await made.DisposeAsync();
        }

        await Server.DisposeAsync();
    }
}

/// <summary>Somebody with one device, and what it has told so far.</summary>
internal sealed class Person : IAsyncDisposable
{
    private readonly World _world;
    private CancellationTokenSource _stops = new();
    private Task _listening;
    private bool _isGone;

    public Person(World world, ChatOptions options, ChatClient client)
    {
        (_world, Options, Client) = (world, options, client);
        _listening = ListenAsync(_stops.Token);
    }

    public ChatOptions Options { get; }

    public ChatClient Client { get; private set; }

    public Guid Account => Client.Account;

    /// <summary>Every event, in order.</summary>
    public List<ChatEvent> Told { get; } = [];

    public IEnumerable<T> Events<T>()
        where T : ChatEvent
    {
        lock (Told)
        {
            return [.. Told.OfType<T>()];
        }
    }

    public Task<ChatMessage> SendAsync(Person to, string text) => Client.SendAsync(to.Account, text, World.Ct);

    /// <summary>Waits until a text was told.</summary>
    public async Task<ChatMessage> TextAsync(string text)
    {
        await _world.UntilAsync(() => Task.FromResult(Events<MessageReceived>().Any(told => told.Message.Text == text)), TimeSpan.FromMilliseconds(50));
        return Events<MessageReceived>().First(told => told.Message.Text == text).Message;
    }

    public async Task<T> EventAsync<T>(Func<T, bool>? isIt = null)
        where T : ChatEvent
    {
        await _world.UntilAsync(() => Task.FromResult(Events<T>().Any(isIt ?? (_ => true))));
        return Events<T>().First(isIt ?? (_ => true));
    }

    public async Task<IReadOnlyList<string?>> TextsAsync(Person with) =>
        [.. (await Client.MessagesAsync(with.Account, World.Ct)).Select(message => message.Text)];

    /// <summary>As if the device had lost its sessions: what comes in them cannot be read.</summary>
    public Task ForgetSessionsAsync() => ForgetAsync(Tables.Sessions);

    /// <summary>As if the device had lost a table of its store.</summary>
    /// <returns>How many rows are gone.</returns>
    public async Task<int> ForgetAsync(string table)
    {
        var rows = await Options.Store.ListAsync(table, 0, 1000, World.Ct);
        await Options.Store.CommitAsync([.. rows.Select(row => new RowChange(table, row.Key, null))], World.Ct);
        return rows.Count;
    }

    /// <summary>As if the last that came from somebody's phone were missing still: what comes after it is kept back.</summary>
    public async Task ForgetLastAsync(Person from)
    {
        var rows = new StoreTransaction(Options.Store);
        var name = $"{from.Account:N}.1";
        var stream = (await rows.ReadAsync(Tables.Streams, name, World.Ct))!;
        stream.Next--;
        rows.Put(Tables.Streams, name, stream);
        await rows.CommitAsync(World.Ct);
    }

    public async Task<Progress> ProgressAsync(ChatMessage message) =>
        (await Client.FindAsync(message.Conversation, message.Sender, message.Id, World.Ct))!.Progress;

    /// <summary>Ends the client, as an app that is closed, and opens it again from its store. It is not connected.</summary>
    public async Task RestartAsync(Func<Task>? meanwhile = null)
    {
        await StopAsync();
        if (meanwhile is not null)
        {
            await meanwhile();
        }

        Client = await ChatClient.OpenAsync(Options, World.Ct);
        _stops = new CancellationTokenSource();
        _listening = ListenAsync(_stops.Token);
    }

    /// <summary>Makes the device of <paramref name="options"/> another one of this account.</summary>
    public async Task<ChatClient> LinkAsync(ChatOptions options)
    {
        await using var link = await DeviceLink.BeginAsync(options, World.Ct);
        var request = await Client.ReviewLinkAsync(link.Code, World.Ct);
        Assert.Equal(request.Number, await link.NumberAsync(World.Ct));
        await request.ApproveAsync(World.Ct);
        return await link.CompleteAsync(World.Ct);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_isGone)
        {
            _isGone = true;
            await StopAsync();
        }
    }

    private async Task StopAsync()
    {
        await _stops.CancelAsync();
        await _listening;
        await Client.DisposeAsync();
        _stops.Dispose();
    }

    private async Task ListenAsync(CancellationToken ct)
    {
        try
        {
            await foreach (var told in Client.EventsAsync(ct))
            {
                lock (Told)
                {
                    Told.Add(told);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The client ends.
        }
    }
}
