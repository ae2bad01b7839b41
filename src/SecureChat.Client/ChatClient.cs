using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.Groups;
using SecureChat.Client.Keys;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Senders;

namespace SecureChat.Client;

/// <summary>One device of one account: signs up, stays connected, sends and receives. Begin with <see cref="SignUpAsync"/> or <see cref="OpenAsync"/>.</summary>
/// <remarks>Safe to use from several threads. What it is told is durable when the call ends.</remarks>
public sealed partial class ChatClient : IAsyncDisposable
{
    private readonly Device _device;
    private readonly ServerApi _api;
    private readonly OwnDevices _own;
    private readonly Delivery _delivery;
    private readonly Outbox _outbox;
    private readonly GroupOutbox _groupOutbox;
    private readonly GroupStates _groups;
    private readonly Conversations _conversations;
    private readonly Receipts _receipts;
    private readonly Beacons _beacons;
    private readonly Inbox _inbox;
    private readonly Housekeeping _housekeeping;
    private readonly CancellationTokenSource _ends = new();
    private readonly Task _work;
    private CancellationTokenSource? _connection;
    private Task _connected = Task.CompletedTask;

    private ChatClient(ChatOptions options, ServerApi api, SelfRecord self)
    {
        _api = api;
        _device = new Device(options, api, self, new EventFeed());
        _own = new OwnDevices(_device);
        _delivery = new Delivery(_device);
        _outbox = new Outbox(_device, _delivery);
        _receipts = new Receipts(_device, new Delivery(_device), _outbox);
        _beacons = new Beacons(_device, new Delivery(_device));
        _groupOutbox = new GroupOutbox(_device, new GroupFanOut(_device, new Delivery(_device)));
        _conversations = new Conversations(_device, _outbox, _groupOutbox);
        _groups = new GroupStates(_device, _groupOutbox);
        var contents = new Contents(_device, _outbox, _receipts, _conversations, new GroupInbox(_device), _groupOutbox);
        var retries = new RetryRequests(_device, _delivery);
        _inbox = new Inbox(_device, contents, _outbox, _groupOutbox, retries);
        _housekeeping = new Housekeeping(
            _device, _conversations, contents, _receipts, retries, _outbox, _beacons, _groups, _groupOutbox, new KeyUpkeep(_device));
        _device.Wake = _housekeeping.Wake;
        _work = _housekeeping.RunAsync(_ends.Token);
    }

    /// <summary>The account's id: what others write to.</summary>
    public Guid Account => _device.Account;

    /// <summary>This device's number; 1 is the primary.</summary>
    public int DeviceId => _device.Id;

    /// <summary>Asks the server to send a one-time code to an address or a number; exactly one of the two.</summary>
    /// <returns>The challenge, for <see cref="SignUpProof.OneTimeCode"/>.</returns>
    /// <exception cref="ServerException">The server refused.</exception>
    public static async Task<string> RequestCodeAsync(ChatOptions options, string? email, string? phone, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(options);
        using var api = new ServerApi(options.Server, options.Network);
        var challenge = await api.SendAsync<OtpRequest, OtpChallenge>(
            HttpMethod.Post, "/v1/auth/otp", accessToken: null, new OtpRequest(email, phone), ct);
        return challenge.Challenge;
    }

    /// <summary>Makes an account whose primary device this is. The store must be empty.</summary>
    /// <exception cref="ServerException">The server refused: <c>wrong_code</c>, <c>invite_required</c>, …</exception>
    public static async Task<ChatClient> SignUpAsync(ChatOptions options, SignUpProof proof, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(proof);
        using (var api = new ServerApi(options.Server, options.Network))
        {
            await NewAccount.SignUpAsync(options, api, proof, ct);
        }

        return await OpenAsync(options, ct);
    }

    /// <summary>Opens the device that a store holds. What should have destroyed itself meanwhile is gone when this ends.</summary>
    /// <exception cref="InvalidOperationException">The store is empty: sign up first.</exception>
    public static async Task<ChatClient> OpenAsync(ChatOptions options, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(options);
        var self = await new StoreTransaction(options.Store).ReadAsync(Tables.Self, Tables.Only, ct)
            ?? throw new InvalidOperationException("The store holds no device. Sign up first.");
        var client = new ChatClient(options, new ServerApi(options.Server, options.Network), self);
        await client._device.Turns.RunAsync(rows => client._conversations.SweepAsync(rows, ct), ct);
        return client;
    }

    /// <summary>
    /// Connects, and stays connected until <see cref="DisconnectAsync"/>. Ends when everything that waited has been taken in; while the
    /// server cannot be reached it goes on trying.
    /// </summary>
    /// <exception cref="SignedOutException">The device's credentials have ended.</exception>
    public async Task ConnectAsync(CancellationToken ct)
    {
        await DisconnectAsync(ct);
        await _device.Turns.RunAsync(
            async rows =>
            {
                await _conversations.SweepAsync(rows, ct);
                await _outbox.RefreshAsync(rows, ct);
                await _beacons.ConnectedAsync(rows, ct);
            },
            ct);
        _connection = CancellationTokenSource.CreateLinkedTokenSource(_ends.Token);
        var loop = new SocketLoop(_device, _inbox);
        _connected = StayAsync(loop, _connection);
        _housekeeping.GoOnline();
        await loop.Ready.WaitAsync(ct);
        await PrepareAsync(ct);
        _housekeeping.Wake();
    }

    /// <summary>Ends the connection. What is sent afterwards waits.</summary>
    public async Task DisconnectAsync(CancellationToken ct)
    {
        await _housekeeping.GoOfflineAsync(ct);
        if (_connection is { } connection)
        {
            await connection.CancelAsync();
            await _connected.WaitAsync(ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            connection.Dispose();
            _connection = null;
        }
    }

    /// <summary>
    /// Does what is due now and not behind the app's back: fetches states of groups, sends what waits. For a program that is about to end.
    /// </summary>
    public Task FlushAsync(CancellationToken ct) => _housekeeping.RunDueAsync(ct);

    /// <summary>
    /// Ends when this device is not connected any more and does not come back by itself: cancelled by <see cref="DisconnectAsync"/>, with
    /// <see cref="SignedOutException"/> or <see cref="ConnectedElsewhereException"/>, or with whatever made the local store fail.
    /// </summary>
    public Task Connection => _connected;

    /// <summary>
    /// Everything that happens, from the oldest that was not taken before. An event is taken when the next one is asked for. One reader at
    /// a time.
    /// </summary>
    public IAsyncEnumerable<ChatEvent> EventsAsync(CancellationToken ct) => _device.Events.ReadAsync(_device.Turns, ct);

    /// <summary>What <see cref="EventsAsync"/> would tell without waiting: it ends with the last one that is there.</summary>
    public IAsyncEnumerable<ChatEvent> PendingEventsAsync(CancellationToken ct) => _device.Events.ReadPendingAsync(_device.Turns, ct);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ends.CancelAsync();
        await _connected.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _connection?.Dispose();
        _outbox.Dispose();
        _groupOutbox.Dispose();
        _housekeeping.Dispose();
        _device.Dispose();
        _api.Dispose();
        _ends.Dispose();
    }

    /// <summary>Stays connected for as long as the rest of the client works: what makes that fail is told as what ended the connection.</summary>
    private async Task StayAsync(SocketLoop loop, CancellationTokenSource connection)
    {
        var staying = loop.RunAsync(connection.Token);
        if (await Task.WhenAny(staying, _work) == _work)
        {
            await connection.CancelAsync();
            await staying.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _work;
        }

        await staying;
    }

    /// <summary>What the server has to know of this device and this device of the account, once per connection.</summary>
    private async Task PrepareAsync(CancellationToken ct)
    {
        await _own.CompareAsync(ct);
        var isPublished = await _device.Turns.RunAsync(async rows => (await Device.SelfAsync(rows, ct)).PolicyPublished, ct);
        if (isPublished || DeviceId != 1)
        {
            return;
        }

        var policy = new SendPolicy(Device.AccessKeyOf(_device.ProfileKey));
        await _device.Credentials.WithTokenAsync(
            async token =>
            {
                await _api.CallAsync(HttpMethod.Put, "/v1/senders/policy", token, policy, ct);
                return true;
            },
            ct);
        await _device.Turns.RunAsync(
            async rows =>
            {
                var self = await Device.SelfAsync(rows, ct);
                self.PolicyPublished = true;
                rows.Put(Tables.Self, Tables.Only, self);
            },
            ct);
    }
}
