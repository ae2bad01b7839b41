using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Calls;

/// <summary>How long each message of a call lives, and whom it wakes: docs/protocol/calls.md#between-two-people.</summary>
public sealed class CallDeliveryTests
{
    public static TheoryData<string, CallMessage, (bool, bool, int?)> Bodies => new()
    {
        { "the first offer", new CallMessage { Offer = new CallOffer() }, (true, false, 60) },
        { "a later offer", new CallMessage { Offer = new CallOffer { Revision = 1 } }, (false, false, 60) },
        { "an answer", new CallMessage { Answer = new CallAnswer() }, (false, false, 60) },
        { "a hang-up", new CallMessage { Hangup = new CallHangup() }, (false, false, 60) },
        { "candidates", new CallMessage { Candidates = new CallCandidates() }, (false, true, null) },
        { "ringing", new CallMessage { Ringing = new CallRinging() }, (false, true, null) },
        { "busy", new CallMessage { Busy = new CallBusy() }, (false, true, null) },
    };

    [Theory, MemberData(nameof(Bodies))]
    public void The_first_offer_wakes_what_begins_or_ends_is_kept_for_a_minute_and_the_rest_passes(
        string what, CallMessage message, (bool Urgent, bool Ephemeral, int? ExpiresIn) expected)
    {
        var handing = ChatClient.HandingOf(message);

        Assert.True(expected == (handing.Urgent, handing.Ephemeral, handing.ExpiresIn), what);
    }

    [Fact]
    public void Every_kind_of_message_has_its_line() => Assert.Equal(
        Enum.GetValues<CallMessage.BodyOneofCase>().Where(kind => kind is not CallMessage.BodyOneofCase.None).Order(),
        Bodies.Select(row => row.Data.Item2.BodyCase).Distinct().Order());
}
