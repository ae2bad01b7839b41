using Google.Protobuf;
using SecureChat.Client.Calls;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Calls;

/// <summary>Calls between two people, each with several devices. Spec: docs/protocol/calls.md#between-two-people.</summary>
public sealed class CallMachineTests
{
    private static readonly Guid Ada = new("00000000-0000-4000-8000-00000000000a");
    private static readonly Guid Bob = new("00000000-0000-4000-8000-00000000000b");
    private static readonly Guid Eve = new("00000000-0000-4000-8000-00000000000e");

    private readonly CallWorld _world = new();
    private readonly CallDevice _ada;
    private readonly CallDevice _phone;
    private readonly CallDevice _tablet;

    public CallMachineTests() => (_ada, _phone, _tablet) = (_world.Add(Ada, 1, 5), _world.Add(Bob, 1, 6), _world.Add(Bob, 2, 7));

    [Fact]
    public void Several_devices_ring_one_answers_and_the_others_stop()
    {
        _ada.Start(Bob);
        _world.DeliverAll();
        Assert.True(_phone.IsRinging && _tablet.IsRinging);
        Assert.Single(_ada.Done.OfType<ShowRinging>());

        _tablet.Do(_tablet.Machine.Accept(isContact: true));
        _world.DeliverAll();
        _world.ConnectMedia();

        Assert.Equal((CallState.Connected, CallState.Idle, CallState.Connected), (_ada.Machine.State, _phone.Machine.State, _tablet.Machine.State));
        Assert.Equal((CallHangupReason.AcceptedElsewhere, false, 0), (_phone.End, _phone.IsRinging, _phone.Missed));
        Assert.True(_ada.HasMedia && _tablet.HasMedia);

        _ada.Do(_ada.Machine.HangUp());
        _world.DeliverAll();
        Assert.All(_world.Devices, device => Assert.Equal(CallState.Idle, device.Machine.State));
        Assert.Equal(CallHangupReason.Normal, _tablet.End);
    }

    [Fact]
    public void Of_two_devices_that_accept_at_once_the_first_heard_has_the_call()
    {
        _ada.Start(Bob);
        _world.DeliverAll();

        _phone.Do(_phone.Machine.Accept(isContact: true));
        _tablet.Do(_tablet.Machine.Accept(isContact: true));
        _world.DeliverAll();
        _world.ConnectMedia();

        Assert.Equal((CallState.Connected, CallState.Connected, CallState.Idle), (_ada.Machine.State, _phone.Machine.State, _tablet.Machine.State));
        Assert.Equal(CallHangupReason.AcceptedElsewhere, _tablet.End);
        Assert.Single(_ada.Done.OfType<ApplyAnswer>());
    }

    [Fact]
    public void What_one_device_declines_rings_nowhere_any_more()
    {
        _ada.Start(Bob);
        _world.DeliverAll();

        _phone.Do(_phone.Machine.Decline());
        _world.DeliverAll();

        Assert.Equal((CallHangupReason.Declined, CallHangupReason.Declined), (_ada.End, _tablet.End));
        Assert.All(_world.Devices, device => Assert.Equal((CallState.Idle, 0), (device.Machine.State, device.Missed)));
    }

    [Fact]
    public void Who_is_in_a_call_is_busy_and_sees_who_called()
    {
        var eve = _world.Add(Eve, 1, 8);
        _ada.Start(Bob);
        _world.DeliverAll();
        _phone.Do(_phone.Machine.Accept(isContact: true));
        _world.DeliverAll();

        eve.Start(Bob);
        _world.DeliverAll();

        Assert.Equal(CallHangupReason.Busy, eve.End);
        Assert.Equal((CallState.Connecting, CallState.Idle), (_phone.Machine.State, _tablet.Machine.State));
        Assert.Equal((1, 1), (_phone.Missed, _tablet.Missed));
        Assert.False(_tablet.IsRinging);
    }

    [Fact]
    public void Nobody_answers_and_all_know_when_to_stop()
    {
        _ada.Start(Bob, video: true);
        _world.DeliverAll();

        _world.Pass(CallMachine.RingTime - TimeSpan.FromSeconds(1));
        Assert.Equal((CallState.Calling, CallState.Ringing), (_ada.Machine.State, _phone.Machine.State));
        Assert.Equal(TimeSpan.FromSeconds(1), _ada.Machine.Wait);
        _world.Pass(TimeSpan.FromSeconds(1));
        _world.DeliverAll();

        Assert.All(_world.Devices, device => Assert.Equal((CallState.Idle, null), (device.Machine.State, device.Machine.Wait)));
        Assert.Equal((CallHangupReason.NoAnswer, 1, 1), (_ada.End, _phone.Missed, _tablet.Missed));
        Assert.True(_phone.Done.OfType<ShowMissed>().Single().Video);
    }

    [Fact]
    public void A_phone_that_wakes_after_the_caller_gave_up_shows_a_missed_call_and_does_not_ring()
    {
        _ada.Start(Bob);
        _ada.Do(_ada.Machine.HangUp());
        var mail = _world.Mail.Where(letter => letter.To == _phone).ToList();

        // In either order, and twice.
        foreach (var letter in mail.AsEnumerable().Reverse().Concat(mail))
        {
            _phone.Receive(letter);
        }

        foreach (var letter in mail.Concat(mail))
        {
            _tablet.Receive(letter);
        }

        Assert.Equal((1, 1), (_phone.Missed, _tablet.Missed));
        Assert.Empty(_phone.Done.OfType<Ring>());
        Assert.Single(_tablet.Done.OfType<Ring>());
        Assert.False(_tablet.IsRinging);
    }

    [Theory, InlineData(1, 2), InlineData(2, 1)]
    public void When_both_call_at_once_the_lower_call_stands_and_both_talk(byte mine, byte theirs)
    {
        var (ada, laptop, bob) = (_world.Add(Eve, 1, mine), _world.Add(Eve, 2), _world.Add(Bob, 3, theirs));

        ada.Start(Bob);
        bob.Start(Eve);
        _world.DeliverAll();
        _world.ConnectMedia();

        Assert.Equal((CallState.Connected, CallState.Connected), (ada.Machine.State, bob.Machine.State));
        Assert.Equal(ada.Call, bob.Call);
        Assert.Equal(mine < theirs ? 1 : 0, ada.Done.OfType<MakeOffer>().Count(offer => offer.Turn.Call.ToBase64() == ada.Call));
        Assert.All([laptop, _phone, _tablet], device => Assert.Equal((CallState.Idle, false), (device.Machine.State, device.IsRinging)));
        Assert.All([ada, bob], device => Assert.Empty(device.Done.OfType<Ring>()));
    }

    [Fact]
    public void A_call_that_has_not_left_yet_gives_way_to_the_one_that_comes()
    {
        var bob = _world.Add(Bob, 3, 9);
        _ada.IsSlow = true;
        _ada.Start(Bob);
        bob.Start(Ada);
        _world.DeliverAll();
        _ada.FinishDescriptions();
        _world.DeliverAll();
        _world.ConnectMedia();

        Assert.Equal((CallState.Connected, CallState.Connected), (_ada.Machine.State, bob.Machine.State));
        Assert.DoesNotContain(_ada.Sent, message => message.Offer is not null);
    }

    [Fact]
    public void Media_that_never_connects_or_is_lost_for_long_ends_the_call()
    {
        Connecting();
        _world.Pass(CallMachine.ConnectTime);
        Assert.Equal((CallHangupReason.Failed, CallState.Idle), (_ada.End, _ada.Machine.State));
        _world.DeliverAll();

        Connected();
        _ada.Do(_ada.Machine.MediaLost());
        _world.Pass(CallMachine.ConnectTime - TimeSpan.FromSeconds(1));
        _ada.Do(_ada.Machine.MediaUp(_phone.Fingerprint));
        _world.Pass(CallMachine.ConnectTime);
        Assert.Equal(CallState.Connected, _ada.Machine.State);
        _ada.Do(_ada.Machine.MediaLost());
        _world.Pass(CallMachine.ConnectTime);
        _world.DeliverAll();

        Assert.Equal((CallHangupReason.Failed, CallHangupReason.Failed), (_ada.End, _phone.End));
    }

    [Fact]
    public void Both_can_negotiate_again_and_when_they_do_at_once_the_callers_offer_stands()
    {
        Connected();
        _phone.Do(_phone.Machine.Renegotiate());
        _world.DeliverAll();
        Assert.Equal(1u, _ada.Done.OfType<MakeAnswer>().Single().Turn.Revision);
        Assert.Single(_phone.Done.OfType<ApplyAnswer>());

        _phone.Do(_phone.Machine.Renegotiate());
        _ada.Do(_ada.Machine.Renegotiate());
        _world.DeliverAll();

        var rolledBack = _phone.Done.OfType<MakeAnswer>().Last();
        Assert.Equal((true, 2u), (rolledBack.Rollback, rolledBack.Turn.Revision));
        Assert.Single(_ada.Done.OfType<MakeAnswer>());
        Assert.Equal(2, _ada.Done.OfType<ApplyAnswer>().Count());
        Assert.All([_ada, _phone], device => Assert.Equal(CallState.Connected, device.Machine.State));
    }

    [Fact]
    public void Who_was_cut_off_for_a_moment_sends_its_candidates_again_and_the_other_takes_each_once()
    {
        CallCandidate relay = new() { Candidate = "candidate:2 1 udp 41885439 192.0.2.7 50001 typ relay", Mid = "0" };
        Connecting();
        _ada.Do(_ada.Machine.Gathered([relay]));
        _world.Mail.Clear();

        _ada.Do(_ada.Machine.Reconnected());
        _ada.Do(_ada.Machine.Reconnected());
        _world.DeliverAll();

        Assert.Equal([relay], _phone.Done.OfType<AddCandidates>().SelectMany(action => action.Candidates));
    }

    [Fact]
    public void Candidates_that_overtake_an_answer_wait_for_it_and_those_of_other_devices_are_dropped()
    {
        CallCandidate phones = new() { Candidate = "candidate:1 1 udp 1 192.0.2.1 1 typ relay", Mid = "0" };
        CallCandidate tablets = new() { Candidate = "candidate:1 1 udp 1 192.0.2.2 2 typ relay", Mid = "0" };
        _ada.Start(Bob);
        _world.DeliverAll();
        _phone.Do(_phone.Machine.Accept(isContact: true));
        _phone.Do(_phone.Machine.Gathered([phones]));
        _tablet.Do(_tablet.Machine.Accept(isContact: true));
        _tablet.Do(_tablet.Machine.Gathered([tablets]));

        foreach (var letter in _world.Mail.Where(letter => letter.Message.Candidates is not null).ToList())
        {
            letter.To.Receive(letter);
        }

        Assert.DoesNotContain(_ada.Done, action => action is AddCandidates);
        _world.DeliverAll();
        Assert.Equal([phones], _ada.Done.OfType<AddCandidates>().SelectMany(action => action.Candidates));
    }

    [Fact]
    public void An_answer_counts_from_the_connected_device_alone_and_only_once_the_offer_has_left()
    {
        Connected();
        var (call, answer) = (_ada.Sent[0].Call, new CallAnswer { Revision = 1, Sdp = _phone.Sdp(), Fingerprint = ByteString.CopyFrom(_phone.Fingerprint) });
        CallMessage message = new() { Call = call, Answer = answer };
        var applied = _ada.Done.OfType<ApplyAnswer>().Count();
        _ada.IsSlow = true;
        _ada.Do(_ada.Machine.Renegotiate());

        _ada.Do(_ada.Machine.Received(Bob, 1, true, message));
        _ada.FinishDescriptions();
        _ada.Do(_ada.Machine.Received(Bob, 2, true, message));
        Assert.Equal(applied, _ada.Done.OfType<ApplyAnswer>().Count());
        _ada.Do(_ada.Machine.Received(Bob, 1, true, message));

        Assert.Equal(applied + 1, _ada.Done.OfType<ApplyAnswer>().Count());
    }

    [Fact]
    public void Strangers_and_other_devices_cannot_touch_a_call()
    {
        Connected();
        var call = _ada.Sent[0].Call;
        CallMessage hangup = new() { Call = call, Hangup = new CallHangup() };

        _ada.Do(_ada.Machine.Received(Eve, 1, true, hangup));
        _ada.Do(_ada.Machine.Received(Bob, 2, true, hangup));
        _phone.Do(_phone.Machine.Received(Ada, 7, true, hangup));

        Assert.Equal((CallState.Connected, CallState.Connected), (_ada.Machine.State, _phone.Machine.State));
    }

    public static TheoryData<string, CallMessage> Malformed => new()
    {
        { "no call", new CallMessage { Busy = new CallBusy() } },
        { "short call", new CallMessage { Call = ByteString.CopyFrom(new byte[15]), Offer = new CallOffer { Sdp = "v=0", Fingerprint = ByteString.CopyFrom(new byte[32]) } } },
        { "no body", new CallMessage { Call = ByteString.CopyFrom(new byte[16]) } },
        { "no description", Offer("", new byte[32]) },
        { "large description", Offer(new string('x', 32 * 1024 + 1), new byte[32]) },
        { "no certificate in the description", Offer("v=0\r\n", new byte[32]) },
        { "short certificate", Offer("v=0\r\n", new byte[31]) },
    };

    [Theory, MemberData(nameof(Malformed))]
    public void What_is_malformed_is_dropped(string what, CallMessage message)
    {
        _phone.Do(_phone.Machine.Received(Ada, 1, true, message));

        Assert.True(_phone.Done.Count is 0 && _phone.Machine.State is CallState.Idle, what);
    }

    private void Connecting()
    {
        _ada.Start(Bob);
        _world.DeliverAll();
        _phone.Do(_phone.Machine.Accept(isContact: true));
        _world.DeliverAll();
        Assert.Equal((CallState.Connecting, CallState.Connecting), (_ada.Machine.State, _phone.Machine.State));
    }

    private void Connected()
    {
        Connecting();
        _world.ConnectMedia();
        Assert.Equal((CallState.Connected, CallState.Connected), (_ada.Machine.State, _phone.Machine.State));
    }

    private static CallMessage Offer(string sdp, byte[] fingerprint) => new()
    {
        Call = ByteString.CopyFrom(new byte[16]),
        Offer = new CallOffer { Sdp = sdp, Fingerprint = ByteString.CopyFrom(fingerprint) },
    };
}
