using Google.Protobuf;
using SecureChat.Client.Calls;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Calls;

/// <summary>What a call tells nobody, and what nobody can change in it. Spec: docs/protocol/calls.md#what-a-client-must-do.</summary>
public sealed class CallPrivacyTests
{
    private static readonly Guid Ada = new("00000000-0000-4000-8000-00000000000a");
    private static readonly Guid Bob = new("00000000-0000-4000-8000-00000000000b");
    private static readonly Guid Eve = new("00000000-0000-4000-8000-00000000000e");

    private readonly CallWorld _world = new();
    private readonly CallDevice _ada;
    private readonly CallDevice _phone;
    private readonly CallDevice _tablet;

    public CallPrivacyTests() => (_ada, _phone, _tablet) = (_world.Add(Ada, 1, 5), _world.Add(Bob, 1, 6), _world.Add(Bob, 2, 7));

    [Fact]
    public void M10_no_candidate_leaves_before_the_callee_accepted_and_a_stranger_gets_those_of_a_relay_alone()
    {
        CallCandidate host = new() { Candidate = "candidate:1 1 udp 2122260223 a1b2.local 50000 typ host", Mid = "0" };
        CallCandidate relay = new() { Candidate = "candidate:2 1 udp 41885439 192.0.2.7 50001 typ relay raddr 0.0.0.0 rport 0", Mid = "0" };
        CallCandidate end = new() { Mid = "0" };
        _ada.Start(Bob, isContact: true);
        _ada.Do(_ada.Machine.Gathered([host, relay]));
        _world.DeliverAll();
        Assert.All(_world.Devices, device => Assert.DoesNotContain(device.Sent, message => message.Candidates is not null));

        _phone.IsSlow = true;
        _phone.Do(_phone.Machine.Accept(isContact: false));
        _phone.Do(_phone.Machine.Gathered([host, relay, end]));
        Assert.DoesNotContain(_phone.Sent, message => message.Candidates is not null);
        _phone.FinishDescriptions();
        _world.DeliverAll();

        Assert.True(_phone.Done.OfType<MakeAnswer>().Single().RelayOnly);
        Assert.False(_ada.Done.OfType<MakeOffer>().Single().RelayOnly);
        Assert.Equal([relay, end], _ada.Done.OfType<AddCandidates>().SelectMany(action => action.Candidates));
        Assert.Equal([host, relay], _phone.Done.OfType<AddCandidates>().SelectMany(action => action.Candidates));
        Assert.DoesNotContain(_tablet.Done, action => action is AddCandidates);
    }

    [Fact]
    public void M2_a_call_of_a_stranger_rings_and_no_device_answers_before_its_person_accepts()
    {
        var eve = _world.Add(Eve, 9, 1);
        (_phone.KnowsCallers, _tablet.KnowsCallers) = (false, false);

        _ada.Start(Bob);
        _world.DeliverAll();
        eve.Start(Bob);
        _world.DeliverAll();
        var ringing = (_phone.IsRinging, _tablet.IsRinging, _phone.Missed);
        Assert.Empty(_phone.Sent.Concat(_tablet.Sent));
        _phone.Do(_phone.Machine.Accept(isContact: false));
        _world.Pass(CallMachine.RingTime);

        Assert.Equal((true, true, 1), ringing);
        Assert.NotNull(_phone.Sent[0].Answer);
        Assert.Empty(_tablet.Sent);
    }

    [Fact]
    public void M10_no_address_of_the_own_network_leaves_the_device_unless_the_person_agreed()
    {
        CallCandidate host = new() { Candidate = "candidate:1 1 udp 2122260223 192.168.1.5 50000 typ host", Mid = "0" };
        CallCandidate named = new() { Candidate = "candidate:2 1 udp 2122260223 a1b2.local 50000 typ host", Mid = "0" };
        CallCandidate outside = new() { Candidate = "candidate:3 1 udp 1686052607 203.0.113.9 50000 typ srflx raddr 192.168.1.5 rport 50000", Mid = "0" };
        CallCandidate relay = new() { Candidate = "candidate:4 1 udp 41885439 192.0.2.7 50001 typ relay raddr 203.0.113.9 rport 50000", Mid = "0" };
        Connecting();
        _ada.Do(_ada.Machine.Gathered([host, named, outside, relay]));
        _world.DeliverAll();

        Assert.Equal(
            [named.Candidate, "candidate:3 1 udp 1686052607 203.0.113.9 50000 typ srflx raddr 0.0.0.0 rport 0", "candidate:4 1 udp 41885439 192.0.2.7 50001 typ relay raddr 0.0.0.0 rport 0"],
            _phone.Done.OfType<AddCandidates>().SelectMany(action => action.Candidates).Select(one => one.Candidate));

        var open = new CallMachine(1, _world.Clock) { ShowsHostAddresses = true };
        var call = open.Call(Bob, isContact: true, video: false).OfType<MakeOffer>().Single().Turn;
        open.OfferMade(call, _ada.Sdp(), _ada.Fingerprint);
        open.Received(Bob, 1, true, new CallMessage { Call = call.Call, Answer = new CallAnswer { Sdp = _phone.Sdp(), Fingerprint = ByteString.CopyFrom(_phone.Fingerprint) } });
        var sent = open.Gathered([host]).OfType<SendCallMessage>().Single();
        Assert.Equal(host, sent.Message.Candidates.Candidates.Single());
    }

    [Fact]
    public void M10_an_offer_that_names_candidates_rings_nowhere()
    {
        var sdp = _ada.Sdp() + "a=candidate:1 1 udp 2122260223 203.0.113.9 50000 typ host\r\n";

        _phone.Do(_phone.Machine.Received(Ada, 1, true, Offer(sdp, _ada.Fingerprint)));

        Assert.Equal((CallState.Idle, 0), (_phone.Machine.State, _phone.Done.Count));
    }

    [Fact]
    public void T11_a_description_with_another_certificate_ends_the_call_before_any_media()
    {
        var impostor = _world.Add(Eve, 9);
        _ada.Start(Bob);
        _world.DeliverAll();
        var call = _ada.Sent[0].Call;

        // The description names a certificate that the message does not.
        _phone.Do(_phone.Machine.Received(Eve, 1, true, Offer(impostor.Sdp(), _ada.Fingerprint)));
        var answer = new CallAnswer { Sdp = impostor.Sdp(), Fingerprint = ByteString.CopyFrom(_phone.Fingerprint) };
        _ada.Do(_ada.Machine.Received(Bob, 1, true, new CallMessage { Call = call, Answer = answer }));
        _world.DeliverAll();

        Assert.Equal((CallHangupReason.Fingerprint, CallHangupReason.Fingerprint), (_ada.End, _phone.End));
        Assert.All(_world.Devices, device => Assert.DoesNotContain(device.Done, action => action is StartMedia or ApplyAnswer or MakeAnswer));
    }

    [Fact]
    public void T11_another_certificate_on_the_wire_than_in_the_signalling_ends_the_call_before_any_media()
    {
        Connecting();

        _ada.Do(_ada.Machine.MediaUp(_tablet.Fingerprint));
        _world.DeliverAll();

        Assert.Equal((CallHangupReason.Fingerprint, CallHangupReason.Fingerprint), (_ada.End, _phone.End));
        Assert.All(_world.Devices, device => Assert.Empty(device.Done.OfType<StartMedia>()));
    }

    [Fact]
    public void T11_a_later_negotiation_cannot_change_the_certificate()
    {
        Connected();
        var offer = new CallOffer { Revision = 1, Sdp = _tablet.Sdp(), Fingerprint = ByteString.CopyFrom(_tablet.Fingerprint) };

        _ada.Do(_ada.Machine.Received(Bob, 1, true, new CallMessage { Call = _ada.Sent[0].Call, Offer = offer }));

        Assert.Equal(CallHangupReason.Fingerprint, _ada.End);
        Assert.DoesNotContain(_ada.Done, action => action is MakeAnswer);
    }

    [Fact]
    public void M11_descriptions_leave_and_arrive_with_a_constant_bit_rate_and_without_levels()
    {
        Connecting();

        Assert.Contains("cbr=1;usedtx=0", _ada.Sent[0].Offer.Sdp, StringComparison.Ordinal);
        Assert.Contains("cbr=1;usedtx=0", _phone.Done.OfType<MakeAnswer>().Single().Offer, StringComparison.Ordinal);
        Assert.Contains("cbr=1;usedtx=0", _ada.Done.OfType<ApplyAnswer>().Single().Answer, StringComparison.Ordinal);
    }

    [Fact]
    public void Actions_print_nothing_of_a_connection()
    {
        Connecting();

        Assert.All(_ada.Done.Concat(_phone.Done), action => Assert.DoesNotContain(":", action.ToString(), StringComparison.Ordinal));
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
