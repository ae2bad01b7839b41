using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>Sessions with the unmodified official client. Both sides serialise and reload at every step.</summary>
public sealed class OfficialClientTests(LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task A_long_conversation_with_the_official_client_loses_nothing_but_what_the_line_lost(bool weStart, bool oneTime)
    {
        var random = new SeededRandom((weStart ? 1UL : 2) + (oneTime ? 10UL : 20));
        using var ours = new Device(random);
        var theirs = await peer.PartyAsync(new Guid(random.Bytes(16)).ToString(), 2, Ct);
        var conversation = new PeerConversation(ours, theirs);

        await (weStart ? conversation.WeStartAsync(oneTime) : conversation.TheyStartAsync(oneTime));
        await conversation.TalkAsync(1_000, weBegin: weStart);

        Assert.InRange(conversation.Decrypted, 800, 1_100);
    }
}
