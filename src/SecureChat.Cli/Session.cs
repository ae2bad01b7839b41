using SecureChat.Client;
using SecureChat.Client.Connection;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Sqlite;

namespace SecureChat.Cli;

/// <summary>An open profile: its device, and the people it knows by name.</summary>
internal sealed class Session : IAsyncDisposable
{
    /// <summary>So many characters name a message among those that one has.</summary>
    private const int LeastPrefix = 6;

    private readonly SqliteStore _store;
    private readonly CliHost _host;
    private readonly Profile _profile;
    private IReadOnlyList<Contact> _contacts = [];
    private IReadOnlyList<Group> _groups = [];

    private Session(SqliteStore store, ChatClient client, Shell shell) =>
        (_store, Client, _host, _profile) = (store, client, shell.Host, shell.Profile);

    public ChatClient Client { get; }

    public static async Task<Session> OpenAsync(Shell shell, CancellationToken ct)
    {
        var server = shell.Profile.Read();
        var store = await shell.OpenStoreAsync(ct);
        try
        {
            return await OfAsync(store, await ChatClient.OpenAsync(OptionsFor(shell.Host, server, store), ct), shell, ct);
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens a profile and connects: what waited for it has been taken in when this ends.</summary>
    public static async Task<Session> ConnectAsync(Shell shell, CancellationToken ct)
    {
        var session = await OpenAsync(shell, ct);
        try
        {
            await session.ConnectAsync(ct);
            return session;
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    public static async Task<Session> OfAsync(SqliteStore store, ChatClient client, Shell shell, CancellationToken ct)
    {
        var session = new Session(store, client, shell);
        await session.RefreshAsync(ct);
        return session;
    }

    public static ChatOptions OptionsFor(CliHost host, ServerAddress server, ILocalStore store) =>
        new(server, store) { Network = host.Network, Time = host.Time };

    public async Task ConnectAsync(CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(_host.Patience);
        try
        {
            await Client.ConnectAsync(limit.Token);
            await Client.FlushAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new HttpRequestException("No answer in time.");
        }
    }

    /// <summary>Reads contacts and groups anew.</summary>
    public async Task RefreshAsync(CancellationToken ct) => (_contacts, _groups) = (await Client.ContactsAsync(ct), await Client.GroupsAsync(ct));

    /// <summary>Whom a person means: a name that they gave, a group's name, an account, or a group's id.</summary>
    public Guid Who(string who)
    {
        if (Guid.TryParse(who, out var account))
        {
            return account;
        }

        bool IsIt(string name) => string.Equals(name, who, StringComparison.OrdinalIgnoreCase);
        Guid[] meant = [
            .. _contacts.Where(contact => IsIt(contact.Name)).Select(contact => contact.Account),
            .. _groups.Where(group => IsIt(group.Name)).Select(group => group.Id),
        ];
        return meant switch
        {
            [var one] => one,
            [] => throw new CliException(
                ExitCode.NotFound, "not_found", $"You have given nobody the name '{who}'.", $"securechat contacts add {who} ACCOUNT; your groups: securechat group"),
            _ => throw new CliException(
                ExitCode.NotFound, "ambiguous", $"'{who}' is the name of several.", "Use the account or the group's id: 'securechat contacts' and 'securechat group' list them."),
        };
    }

    public string NameOf(Guid account) => account == Client.Account
        ? "you"
        : _contacts.FirstOrDefault(contact => contact.Account == account) is { Name.Length: > 0 } contact ? contact.Name
        : _groups.FirstOrDefault(group => group.Id == account) is { Name.Length: > 0 } group ? group.Name
        : account.ToString();

    /// <summary>After which messages of a conversation destroy themselves; null: they stay.</summary>
    public TimeSpan? TimerOf(Guid conversation) => _contacts.FirstOrDefault(contact => contact.Account == conversation)?.Timer
        ?? _groups.FirstOrDefault(group => group.Id == conversation)?.Timer;

    public bool IsGroup(Guid conversation) => _groups.Any(group => group.Id == conversation);

    /// <summary>Everybody there is a conversation with.</summary>
    public IReadOnlyList<Contact> Contacts => _contacts;

    /// <summary>The message whose id begins so.</summary>
    public async Task<ChatMessage> MessageAsync(string prefix, CancellationToken ct)
    {
        var found = new List<ChatMessage>();
        if (prefix.Length >= LeastPrefix)
        {
            foreach (var conversation in _contacts.Select(contact => contact.Account).Concat(_groups.Select(group => group.Id)))
            {
                found.AddRange((await Client.MessagesAsync(conversation, ct))
                    .Where(message => message.Id.ToString().StartsWith(prefix, StringComparison.OrdinalIgnoreCase)));
            }
        }

        return found switch
        {
            [var one] => one,
            [] => throw new CliException(ExitCode.NotFound, "not_found", $"There is no message '{prefix}'.",
                $"'securechat history WHO --ids' shows ids; the first {LeastPrefix} characters are enough."),
            _ => throw new CliException(ExitCode.NotFound, "ambiguous", $"Several messages begin with '{prefix}'.", "Give more of the id."),
        };
    }

    /// <summary>A time as a person reads it: the hour today, else the day too.</summary>
    public string When(DateTimeOffset at)
    {
        var (local, now) = (TimeZoneInfo.ConvertTime(at, _host.Time.LocalTimeZone), _host.Time.GetLocalNow());
        return local.Date == now.Date ? $"{local:HH:mm}" : $"{local:yyyy-MM-dd HH:mm}";
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        await _store.DisposeAsync();
    }

    public override string ToString() => _profile.Name;
}
