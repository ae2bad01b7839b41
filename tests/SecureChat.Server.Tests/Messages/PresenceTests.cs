using System.Net.WebSockets;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Messages;

/// <summary>Two nodes on a stepped clock: who is connected where, and what a lost notice costs.</summary>
public sealed class PresenceTests : IAsyncLifetime
{
    private static readonly TimeSpan BetweenSweeps = TimeSpan.FromSeconds(20);

    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-presence-");
    private Node _a = null!;
    private Node _b = null!;
    private OneOfMany _storeOfA = null!;
    private OneOfMany _storeOfB = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var hot = new MemoryHotStore(_clock);
        (_storeOfA, _storeOfB) = (new OneOfMany(hot), new OneOfMany(hot));
        _a = await Node.StartAsync(
            _clock, services => services.Replace(ServiceDescriptor.Singleton<IHotStore>(_storeOfA)), ("Storage:DataFolder", _folder.FullName));
        var queue = _a.Get<IMessageQueue>();
        _b = await Node.StartAsync(
            _clock,
            services => services.Replace(ServiceDescriptor.Singleton<IHotStore>(_storeOfB)).Replace(ServiceDescriptor.Singleton(queue)),
            ("Storage:DataFolder", _folder.FullName));
    }

    [Fact]
    public async Task A_connection_is_seen_from_the_other_node_for_as_long_as_it_is_renewed()
    {
        using var bob = await Member.SignUpAsync(_a, "bob@chat.example");
        using var socket = await ConnectAsync(_b, bob);

        for (var sweep = 0; sweep < 9; sweep++)
        {
            var before = _storeOfB.Sets;
            _clock.Advance(BetweenSweeps);
            Assert.True(await Eventually.IsAsync(true, () => Task.FromResult(_storeOfB.Sets > before)));
            Assert.True(await IsSeenAsync(bob));
        }

        await PingAsync(socket);
    }

    [Fact]
    public async Task The_connections_of_a_node_that_is_dead_are_believed_for_a_minute_at_most()
    {
        using var bob = await Member.SignUpAsync(_a, "bob@chat.example");
        using var socket = await ConnectAsync(_b, bob);
        Assert.True(await IsSeenAsync(bob));

        _storeOfB.IsAway = true;
        _clock.Advance(TimeSpan.FromSeconds(61));

        Assert.False(await IsSeenAsync(bob));
    }

    [Fact]
    public async Task Mail_whose_notice_was_lost_comes_with_the_next_sweep()
    {
        using var bob = await Member.SignUpAsync(_a, "bob@chat.example");
        using var socket = await ConnectAsync(_b, bob);
        var (lost, told) = (SomeMailOf("its notice was lost"), SomeMailOf("its notice arrived"));

        _storeOfA.LosesNotices = true;
        await _a.Get<Mailbox>().PostAsync([SomeMail.To(Address(bob), lost, _clock.GetUtcNow().AddMinutes(30))], Ct);
        await GatherAsync();
        await PingAsync(socket);
        _clock.Advance(BetweenSweeps);

        Assert.Equal("its notice was lost", (await NextAsync(socket)).Deliver.Envelope.Content.ToStringUtf8());
        _storeOfA.LosesNotices = false;
        await _a.Get<Mailbox>().PostAsync([SomeMail.To(Address(bob), told, _clock.GetUtcNow().AddMinutes(30))], Ct);
        await GatherAsync();
        Assert.Equal("its notice arrived", (await NextAsync(socket)).Deliver.Envelope.Content.ToStringUtf8());
    }

    public async ValueTask DisposeAsync()
    {
        _storeOfB.IsAway = false;
        await _b.DisposeAsync();
        await _a.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private Task<bool> IsSeenAsync(Member member) => _a.Get<Mailbox>().IsConnectedAsync(Address(member), Ct);

    // Notices are gathered for some milliseconds, which pass by themselves on no stepped clock.
    private async Task GatherAsync()
    {
        for (var i = 0; i < 20; i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Ct);
            _clock.Advance(TimeSpan.FromMilliseconds(10));
        }
    }

    private static DeviceAddress Address(Member member) => new(member.Account, member.Session.Device);

    private static byte[] SomeMailOf(string content) => new Envelope
    {
        Id = ByteString.CopyFrom(Ids.New().ToByteArray()),
        Type = ContentType.Sealed,
        Content = ByteString.CopyFromUtf8(content),
    }.ToByteArray();

    private static async Task<WebSocket> ConnectAsync(Node node, Member member)
    {
        var client = node.Sockets;
        client.SubProtocols.Add("securechat.v1.proto");
        client.ConfigureRequest = request => request.Headers.Authorization = $"Bearer {member.Session.AccessToken}";
        var socket = await client.ConnectAsync(new Uri("ws://localhost/ws"), Ct);
        Assert.Equal(ServerFrame.BodyOneofCase.QueueEmpty, (await NextAsync(socket)).BodyCase);
        return socket;
    }

    private static async Task PingAsync(WebSocket socket)
    {
        await socket.SendAsync(new ClientFrame { Request = 1, Ping = new Ping() }.ToByteArray(), WebSocketMessageType.Binary, true, Ct);
        Assert.Equal(ServerFrame.BodyOneofCase.Pong, (await NextAsync(socket)).BodyCase);
    }

    private static async Task<ServerFrame> NextAsync(WebSocket socket)
    {
        var buffer = new byte[4096];
        var part = await socket.ReceiveAsync(buffer, Ct).WaitAsync(TimeSpan.FromSeconds(20), Ct);
        Assert.Equal(WebSocketMessageType.Binary, part.MessageType);
        return ServerFrame.Parser.ParseFrom(buffer.AsSpan(0, part.Count));
    }
}
