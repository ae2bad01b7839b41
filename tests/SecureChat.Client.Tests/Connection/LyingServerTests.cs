using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Connection;

/// <summary>A server that says what no server of ours would: the device refuses it, goes on working, and believes it again when it is honest.</summary>
public sealed class LyingServerTests
{
    private static CancellationToken Ct => World.Ct;

    public static TheoryData<string, string> FalseKeys => new()
    {
        { "identityKey", "AAAA" },
        { "identityKey", "BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
        { "devices/0/signedPreKey/key", "" },
        { "devices/0/signedPreKey/signature", "AAAA" },
        { "devices/0/kyberKey/key", "CAAA" },
        { "devices/0/kyberKey/signature", "" },
        { "devices/0/oneTimeKey/key", "BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
        { "devices/0/registrationId", "-1" },
        { "devices/0/kyberKey/keyId", "-1" },
    };

    [Theory]
    [MemberData(nameof(FalseKeys))]
    public async Task Keys_that_nobody_made_keep_one_person_waiting_and_nobody_else(string member, string value)
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = (await world.PersonAsync(), await world.PersonAsync(), await world.PersonAsync());
        var bobs = await IdentityAsync(world, bob);
        world.Server.Network.AlterAnswer = (request, body) =>
            PathOf(request) == "/v1/keys/fetch" && JsonNode.Parse(body)!["identityKey"]?.GetValue<string>() == bobs ? Set(body, member, value) : body;

        await alice.SendAsync(bob, "for bob");
        await alice.SendAsync(carol, "for carol");
        await carol.TextAsync("for carol");
        var told = await alice.EventAsync<DeviceListInvalid>();
        await world.PassAsync(TimeSpan.FromMinutes(1));

        Assert.Equal(new DeviceListInvalid(bob.Account, DeviceListFault.BadKeys), told);
        Assert.Single(alice.Events<DeviceListInvalid>());
        Assert.False(alice.Client.Connection.IsCompleted);
        Assert.Empty(bob.Events<MessageReceived>());

        world.Server.Network.AlterAnswer = null;
        await bob.TextAsync("for bob");
    }

    [Fact]
    public async Task A_certificate_that_no_root_of_ours_vouches_for_is_neither_used_nor_kept()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync());
        world.Server.Network.AlterAnswer = (request, body) =>
        {
            if (PathOf(request) != "/v1/senders/certificate")
            {
                return body;
            }

            var certificate = JsonNode.Parse(body)!["certificate"]!.GetValue<string>();
            var altered = Convert.FromBase64String(certificate);
            altered[^1] ^= 1;
            return Set(body, "certificate", Convert.ToBase64String(altered));
        };

        var sent = await alice.SendAsync(bob, "under a certificate");
        await world.PassAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(Progress.Waiting, await alice.ProgressAsync(sent));
        Assert.False(alice.Client.Connection.IsCompleted);

        world.Server.Network.AlterAnswer = null;
        await bob.TextAsync("under a certificate");
    }

    [Fact]
    public async Task A_server_that_does_not_answer_in_time_is_asked_again()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync());
        var paths = new HashSet<string>();
        world.Server.Network.Delay = (request, _) =>
        {
            lock (paths)
            {
                // Each request once, as HttpClient's own time-out ends it.
                return paths.Add(PathOf(request)) ? Task.FromException(new TaskCanceledException("late", new TimeoutException())) : Task.CompletedTask;
            }
        };
        world.Clock.Advance(TimeSpan.FromDays(8));

        await alice.SendAsync(bob, "after a while");
        await bob.TextAsync("after a while");
        await world.UntilAsync(() => Task.FromResult(paths.Contains("/v1/keys")), TimeSpan.FromMinutes(5));

        Assert.False(alice.Client.Connection.IsFaulted);
        Assert.False(bob.Client.Connection.IsFaulted);
    }

    [Fact]
    public async Task Whatever_is_wrong_with_its_answers_the_device_goes_on_working_and_all_arrives_once_they_are_right()
    {
        for (var seed = 0; seed < 10; seed++)
        {
            await using var world = await World.StartAsync();
            var (alice, bob, carol) = await world.ThreeAsync();
            await world.LinkedAsync(bob);
            var group = await world.GroupAsync(alice, bob, carol);
            var lies = new Lies(seed);
            world.Server.Network.AlterAnswer = lies.Alter;

            for (var i = 0; i < 3; i++)
            {
                await TryToConnectAsync(alice);
                await alice.ForgetSessionsAsync();
                await alice.SendAsync(bob, $"to bob {i}");
                await alice.Client.SendAsync(group, $"to the group {i}", Ct);
                await bob.Client.SendAsync(group, $"from bob {i}", Ct);
                for (var minute = 0; minute < 5; minute++)
                {
                    await world.PassAsync(TimeSpan.FromMinutes(1));
                }
            }

            world.Server.Network.AlterAnswer = null;
            Assert.False(alice.Client.Connection.IsFaulted, $"{seed}: {alice.Client.Connection.Exception}");
            Assert.False(bob.Client.Connection.IsFaulted, $"{seed}: {bob.Client.Connection.Exception}");
            Assert.InRange(lies.Told, 10, int.MaxValue);
            await alice.Client.ConnectAsync(Ct);
            await world.UntilAsync(
                () => Task.FromResult(
                    Enumerable.Range(0, 3).All(i => Has(bob, $"to bob {i}") && Has(carol, $"to the group {i}") && Has(alice, $"from bob {i}"))),
                TimeSpan.FromMinutes(1));
        }
    }

    private static bool Has(Person person, string text) => person.Events<MessageReceived>().Any(told => told.Message.Text == text);

    private static async Task TryToConnectAsync(Person person)
    {
        try
        {
            await person.Client.ConnectAsync(Ct);
        }
        catch (ServerException)
        {
            // The person is told, and connected all the same.
        }
    }

    [Fact]
    public async Task Frames_that_no_server_of_ours_sends_are_passed_over()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var lies = new Queue<ServerFrame>([
            Told(ByteString.CopyFrom(255, 255, 255)),
            Told(new Event { DeviceAdded = new DeviceAdded { Device = uint.MaxValue } }.ToByteString()),
            Told(new Event { DeviceAdded = new DeviceAdded { Device = 0 } }.ToByteString()),
            new ServerFrame { Deliver = new Deliver { Position = 1 } },
            new ServerFrame { Deliver = new Deliver { Envelope = new Envelope { Type = (ContentType)77, SenderAccount = bob.Account.ToBytes(), SenderDevice = 1 } } },
            new ServerFrame { Deliver = new Deliver { Envelope = new Envelope { Type = ContentType.Sealed, Timestamp = ulong.MaxValue } } },
        ]);
        world.Server.Network.OnDelivery = frame =>
        {
            lock (lies)
            {
                return frame.BodyCase == ServerFrame.BodyOneofCase.Deliver && lies.TryDequeue(out var lie) ? [lie, frame] : [frame];
            }
        };

        for (var i = 0; lies.Count > 0; i++)
        {
            await bob.SendAsync(alice, $"after a lie {i}");
            await alice.TextAsync($"after a lie {i}");
            await alice.SendAsync(bob, $"read {i}");
            await bob.TextAsync($"read {i}");
        }

        Assert.False(alice.Client.Connection.IsCompleted);
        Assert.Empty(alice.Events<DeviceLinked>());
    }

    private static ServerFrame Told(ByteString content) =>
        new() { Deliver = new Deliver { Envelope = new Envelope { Type = ContentType.Event, Content = content } } };

    private static string PathOf(HttpRequestMessage request) => request.RequestUri!.AbsolutePath;

    private static async Task<string> IdentityAsync(World world, Person person)
    {
        var identity = "";
        world.Server.Network.AlterAnswer = (request, body) =>
        {
            identity = PathOf(request) == "/v1/keys/fetch" ? JsonNode.Parse(body)!["identityKey"]!.GetValue<string>() : identity;
            return body;
        };
        var stranger = await world.PersonAsync();
        await stranger.SendAsync(person, "who are you");
        await person.TextAsync("who are you");
        person.Told.Clear();
        return identity;
    }

    private static byte[] Set(byte[] body, string path, string value)
    {
        var root = JsonNode.Parse(body)!;
        var names = path.Split('/');
        var parent = names[..^1].Aggregate(root, (node, name) => int.TryParse(name, out var index) ? node[index]! : node[name]!);
        JsonNode? made = value switch { "null" => null, "-1" => JsonValue.Create(-1), _ => JsonValue.Create(value) };
        if (int.TryParse(names[^1], out var at))
        {
            parent[at] = made;
        }
        else
        {
            parent[names[^1]] = made;
        }

        return JsonSerializer.SerializeToUtf8Bytes(root);
    }
}
