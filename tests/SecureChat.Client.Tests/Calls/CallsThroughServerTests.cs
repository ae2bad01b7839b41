using System.Text;
using SecureChat.Client.Calls;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Calls;

/// <summary>Calls from machine to machine over encrypted messages and a real server.</summary>
public sealed class CallsThroughServerTests
{
    private const string Ufrag = "F7gIcanary";

    private static readonly CallCandidate Candidate = new() { Candidate = "candidate:77canary 1 udp 2122260223 a1b2.local 50000 typ host", Mid = "0" };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_devices_ring_one_talks_and_the_server_keeps_nothing_of_it()
    {
        await using var world = await World.StartAsync();
        var (ada, phone, tablet) = await CallersAsync(world);

        await ada.CallAsync(phone);
        await UntilAsync(world, [ada, phone, tablet], () => phone.Has<Ring>() && tablet.Has<Ring>() && ada.Has<ShowRinging>());
        await tablet.DoAsync(tablet.Machine.Accept(isContact: true));
        await UntilAsync(world, [ada, phone, tablet], () => ada.Has<ApplyAnswer>() && phone.Machine.State is CallState.Idle);
        await ada.DoAsync(ada.Machine.Gathered([Candidate]));
        await tablet.DoAsync(tablet.Machine.Gathered([Candidate]));
        await UntilAsync(world, [ada, phone, tablet], () => ada.Has<AddCandidates>() && tablet.Has<AddCandidates>());
        await ada.DoAsync(ada.Machine.MediaUp(tablet.Fingerprint));
        await tablet.DoAsync(tablet.Machine.MediaUp(ada.Fingerprint));
        Assert.Equal((CallState.Connected, CallState.Connected), (ada.Machine.State, tablet.Machine.State));
        await tablet.DoAsync(tablet.Machine.HangUp());
        await UntilAsync(world, [ada, phone, tablet], () => ada.Machine.State is CallState.Idle);

        Assert.Equal(CallHangupReason.AcceptedElsewhere, phone.End);
        Assert.Equal(CallHangupReason.Normal, ada.End);
        Assert.False(phone.Has<AddCandidates>());
        AssertNothingIn(world.Server.DataFolder, ada, phone, tablet);
    }

    [Fact]
    public async Task A_line_that_breaks_while_it_rings_loses_neither_the_answer_nor_the_hang_up()
    {
        await using var world = await World.StartAsync();
        var (ada, phone, tablet) = await CallersAsync(world);

        // The answer reaches a caller whose line was cut while it was calling.
        await ada.CallAsync(phone);
        await UntilAsync(world, [ada, phone, tablet], () => phone.Has<Ring>() && tablet.Has<Ring>());
        world.Server.Network.CutSockets();
        await phone.DoAsync(phone.Machine.Accept(isContact: true));
        await UntilAsync(world, [ada, phone, tablet], () => ada.Machine.State is CallState.Connecting && tablet.Machine.State is CallState.Idle);
        await ada.DoAsync(ada.Machine.HangUp());
        await UntilAsync(world, [ada, phone, tablet], () => phone.Machine.State is CallState.Idle);

        // And a call that is taken back stops ringing where the line was cut while it rang.
        await ada.CallAsync(phone);
        await UntilAsync(world, [ada, phone, tablet], () => phone.Machine.State is CallState.Ringing && tablet.Machine.State is CallState.Ringing);
        world.Server.Network.CutSockets();
        await ada.DoAsync(ada.Machine.HangUp());
        await UntilAsync(world, [ada, phone, tablet], () => phone.Machine.State is CallState.Idle && tablet.Machine.State is CallState.Idle);

        Assert.True(phone.Has<ShowMissed>() && tablet.Has<ShowMissed>());
    }

    [Fact]
    public async Task The_call_of_a_stranger_rings_and_nothing_goes_back()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync());
        var (ada, phone) = (new Caller(alice, world, 1), new Caller(bob, world, 2));
        var answers = 0;
        world.Server.Network.CountFor(alice.Account, () => Interlocked.Increment(ref answers));

        await ada.CallAsync(phone);
        await UntilAsync(world, [ada, phone], () => phone.Has<Ring>());
        await UntilAsync(world, [ada, phone], () => phone.Machine.State is CallState.Idle);

        Assert.Equal(0, answers);
        Assert.False(ada.Has<ShowRinging>());
    }

    private static async Task<(Caller Ada, Caller Phone, Caller Tablet)> CallersAsync(World world)
    {
        var (alice, bob) = await world.FriendsAsync();
        var tablet = await world.LinkedAsync(bob);
        await tablet.Client.AcceptAsync(alice.Account, Ct);
        await world.PassAsync(TimeSpan.FromMinutes(1));
        return (new Caller(alice, world, 1), new Caller(bob, world, 2), new Caller(tablet, world, 3));
    }

    private static Task UntilAsync(World world, Caller[] callers, Func<bool> holds) => world.UntilAsync(
        async () =>
        {
            foreach (var caller in callers)
            {
                await caller.TakeInAsync();
            }

            return holds();
        },
        TimeSpan.FromMilliseconds(200));

    private static void AssertNothingIn(string folder, params Caller[] callers)
    {
        var words = callers.SelectMany(caller => new[] { caller.Fingerprint, Encoding.UTF8.GetBytes(CallDevice.Colons(caller.Fingerprint)) })
            .Append(Encoding.UTF8.GetBytes(Ufrag)).Append("candidate:"u8.ToArray()).Append("a1b2.local"u8.ToArray()).ToList();
        var files = Directory.GetFiles(folder, "*", SearchOption.AllDirectories);
        Assert.NotEmpty(files);
        foreach (var path in files)
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            var all = new byte[file.Length];
            file.ReadExactly(all);
            Assert.All(words, word => Assert.Equal(-1, all.AsSpan().IndexOf(word)));
        }
    }

    /// <summary>A person's device that carries out what its machine wants, with a connection that is no more than its descriptions.</summary>
    private sealed class Caller(Person person, World world, byte number)
    {
        private readonly List<CallAction> _done = [];
        private int _taken;

        public CallMachine Machine { get; } = new(person.Client.DeviceId, world.Clock);

        public byte[] Fingerprint { get; } = [.. Enumerable.Range(0, 32).Select(i => (byte)((i * 7) + (number * 31)))];

        public CallHangupReason? End => _done.OfType<EndCall>().LastOrDefault()?.Reason;

        public bool Has<T>()
            where T : CallAction => _done.OfType<T>().Any();

        public Task CallAsync(Caller other) => DoAsync(Machine.Call(other.Account, isContact: true, video: false));

        private Guid Account => person.Account;

        private string Sdp =>
            $"v=0\r\na=ice-ufrag:{Ufrag}\r\na=fingerprint:sha-256 {CallDevice.Colons(Fingerprint)}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n";

        public async Task TakeInAsync()
        {
            foreach (var told in person.Events<CallSignalled>().Skip(_taken))
            {
                _taken++;
                await DoAsync(Machine.Received(told.Account, told.Device, told.IsContact, told.Signal));
            }

            await DoAsync(Machine.Tick());
        }

        public async Task DoAsync(IReadOnlyList<CallAction> actions)
        {
            foreach (var action in actions)
            {
                _done.Add(action);
                switch (action)
                {
                    case SendCallMessage send:
                        Assert.True(await person.Client.SendCallAsync(send.Account, send.Message, Ct));
                        break;
                    case MakeOffer offer:
                        await DoAsync(Machine.OfferMade(offer.Turn, Sdp, Fingerprint));
                        break;
                    case MakeAnswer answer:
                        await DoAsync(Machine.AnswerMade(answer.Turn, Sdp, Fingerprint));
                        break;
                }
            }
        }
    }
}
