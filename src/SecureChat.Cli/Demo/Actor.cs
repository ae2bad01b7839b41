using SecureChat.Client;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;

namespace SecureChat.Cli.Demo;

/// <summary>One of the two who talk in the demo.</summary>
internal sealed class Actor : IAsyncDisposable
{
    private readonly MemoryStore _store;
    private readonly List<ChatEvent> _told = [];
    private readonly SemaphoreSlim _news = new(0);
    private readonly CancellationTokenSource _ends = new();
    private readonly Task _listening;

    private Actor(MemoryStore store, ChatClient client)
    {
        (_store, Client) = (store, client);
        _listening = ListenAsync(_ends.Token);
    }

    public ChatClient Client { get; }

    public static async Task<Actor> SignUpAsync(CliHost host, DemoServer server, CancellationToken ct)
    {
        var store = new MemoryStore();
        var options = new ChatOptions(server.Address, store) { Time = host.Time };
        return new Actor(store, await ChatClient.SignUpAsync(options, SignUpProof.Invite(await server.InviteAsync(ct)), ct));
    }

    /// <summary>Waits for something to happen to this person.</summary>
    public async Task<T> HearsAsync<T>(Func<T, bool> isIt, CancellationToken ct)
        where T : ChatEvent
    {
        while (true)
        {
            lock (_told)
            {
                if (_told.OfType<T>().FirstOrDefault(isIt) is { } told)
                {
                    return told;
                }
            }

            await _news.WaitAsync(ct);
        }
    }

    public async Task<ChatMessage> ReadsAsync(Func<ChatMessage, bool> isIt, CancellationToken ct)
    {
        var message = (await HearsAsync<MessageReceived>(told => isIt(told.Message), ct)).Message;
        await Client.MarkReadAsync([message], ct);
        return message;
    }

    public async ValueTask DisposeAsync()
    {
        await _ends.CancelAsync();
        await _listening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Client.DisposeAsync();
        await _store.DisposeAsync();
        _news.Dispose();
        _ends.Dispose();
    }

    private async Task ListenAsync(CancellationToken ct)
    {
        await foreach (var told in Client.EventsAsync(ct))
        {
            lock (_told)
            {
                _told.Add(told);
            }

            _news.Release();
        }
    }
}
