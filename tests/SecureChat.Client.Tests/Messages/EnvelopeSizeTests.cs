using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using SecureChat.Client.Files;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Client.Tests.Messages;

/// <summary>What lengths the relay sees of people who send each other everything that there is.</summary>
/// <remarks><c>CHAT_TEST_ENVELOPES</c> says how many envelopes are sent (default 300; the published figure is with 10000).</remarks>
public sealed class EnvelopeSizeTests
{
    private static readonly string[] Doors = ["/v1/messages", "/v1/sealed/messages", "/v1/sealed/many"];

    private static int Count => int.Parse(Environment.GetEnvironmentVariable("CHAT_TEST_ENVELOPES") ?? "300", CultureInfo.InvariantCulture);

    private static CancellationToken Ct => World.Ct;

    [Fact]
    public async Task M14_envelopes_of_every_kind_of_message_reach_the_relay_in_six_sizes_at_most()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        await world.LinkedAsync(alice);
        var group = await world.GroupAsync(alice, bob, carol);
        var relayed = new Relayed();
        world.Server.Network.Delay = relayed.CountAsync;

        for (var step = 0; relayed.Count < Count || step < Kinds; step++)
        {
            await TakeStepAsync(world, step, (alice, bob, carol), group);
            await world.PassAsync(TimeSpan.FromSeconds(8));
        }

        TestContext.Current.TestOutputHelper!.WriteLine(relayed.ToString());
        Assert.Equal(SealedEnvelope.Sizes.ToArray(), relayed.Sizes.Order());
        Assert.All(relayed.Types, type => Assert.Equal(ContentType.Sealed, type));
        Assert.Equal(Doors.Order(), relayed.Ways.Order());
        Assert.Contains(alice.Account, relayed.ByName);
        Assert.True(relayed.ByName.Count > 1, "Nobody wrote to a stranger.");
    }

    private const int Kinds = 26;

    private static async Task TakeStepAsync(World world, int step, (Person Alice, Person Bob, Person Carol) people, Guid group)
    {
        var (alice, bob, carol) = people;
        switch (step % (Kinds / 2))
        {
            case 0:
                await alice.SendAsync(bob, Text(step));
                break;
            case 1:
                await bob.SendAsync(alice, Text(step));
                break;
            case 2:
                await bob.Client.ReactAsync((await bob.Client.MessagesAsync(alice.Account, Ct))[^1], "👍", Ct);
                break;
            case 3:
                await alice.Client.EditAsync(await alice.SendAsync(bob, "wrong"), Text(step), Ct);
                break;
            case 4:
                await carol.Client.SendTypingAsync(alice.Account, stopped: false, Ct);
                break;
            case 5:
                await new[] { alice, bob, carol }[step % 3].Client.SendAsync(group, Text(step), Ct);
                break;
            case 6:
                await bob.Client.MarkReadAsync(await bob.Client.MessagesAsync(alice.Account, Ct), Ct);
                break;
            case 7:
                var file = new OutgoingFile(new MemoryStream(new byte[1000]), "picture.jpg", "image/jpeg") { Preview = new byte[step * 37 % 8000] };
                await alice.Client.SendFileAsync(carol.Account, file, null, Ct);
                break;
            case 8:
                await WriteFirstAsync(world, step, bob);
                break;
            case 9:
                // What alice sends cannot be read, and bob asks for it again.
                await bob.ForgetSessionsAsync();
                await alice.SendAsync(bob, Text(step));
                break;
            case 10:
                await alice.Client.TakeBackAsync(await alice.SendAsync(carol, Text(step)), Ct);
                break;
            case 11:
                await carol.Client.SendCallAsync(alice.Account, new CallMessage { Call = ByteString.CopyFrom(new byte[16]), Ringing = new CallRinging() }, Ct);
                break;
            default:
                await carol.Client.SetTimerAsync(bob.Account, TimeSpan.FromSeconds(1 + step), fromSending: false, Ct);
                break;
        }
    }

    /// <summary>Somebody new writes, a few times before there is an answer, and every other time none comes.</summary>
    private static async Task WriteFirstAsync(World world, int step, Person to)
    {
        await using var stranger = await world.PersonAsync();
        for (var i = 0; i < 3; i++)
        {
            await stranger.SendAsync(to, Text(step + i) + stranger.Account);
        }

        var last = Text(step + 2) + stranger.Account;
        await to.TextAsync(last);
        if (step % 2 == 0)
        {
            await to.SendAsync(stranger, last);
            await stranger.TextAsync(last);
        }
    }

    private static string Text(int step) => new('x', step % 17 == 5 ? 80_000 : step % 11 == 0 ? 3000 + (step * 997 % 60_000) : step * 61 % 2500);

    /// <summary>Every envelope that a client hands over, as its recipient gets it.</summary>
    private sealed class Relayed
    {
        private readonly ConcurrentQueue<(string Way, ContentType Type, int Size, Guid Recipient)> _envelopes = new();

        public int Count => _envelopes.Count;

        public HashSet<int> Sizes => [.. _envelopes.Select(envelope => envelope.Size)];

        public HashSet<string> Ways => [.. _envelopes.Select(envelope => envelope.Way)];

        public HashSet<ContentType> Types => [.. _envelopes.Select(envelope => envelope.Type)];

        public HashSet<Guid> ByName => [.. _envelopes.Where(envelope => envelope.Way == Doors[0]).Select(envelope => envelope.Recipient)];

        public async Task CountAsync(HttpRequestMessage request, CancellationToken ct)
        {
            var way = request.RequestUri!.AbsolutePath;
            if (request.Method != HttpMethod.Post || !Doors.Contains(way))
            {
                return;
            }

            var body = await request.Content!.ReadAsByteArrayAsync(ct);
            if (way == Doors[2])
            {
                var parts = MultiRecipientMessage.Parse(SealedMany.Parser.ParseFrom(body).Message.Span);
                foreach (var part in parts.Recipients.SelectMany(part => part.Devices.Select(_ => part)))
                {
                    _envelopes.Enqueue((way, ContentType.Sealed, parts.EnvelopeFor(part).Length, part.Account.Uuid));
                }

                return;
            }

            var recipients = way == Doors[0]
                ? JsonSerializer.Deserialize(body, ProtocolJson.Default.SendMessage)!.Recipients.Select(to => (to.Account, to.Devices))
                : [JsonSerializer.Deserialize(body, ProtocolJson.Default.SealedMessage)! is var to ? (to.Account, to.Devices) : default];
            foreach (var (account, device) in recipients.SelectMany(to => to.Devices.Select(device => (to.Account, device))))
            {
                _envelopes.Enqueue((way, (ContentType)device.Type, device.Content.Length, account));
            }
        }

        /// <summary>How many there were of each size, on each way.</summary>
        public override string ToString() => string.Join('\n', _envelopes.GroupBy(envelope => (envelope.Way, envelope.Size)).OrderBy(group => group.Key)
            .Select(group => $"{group.Key.Way} {group.Key.Size}: {group.Count()}"));
    }
}
