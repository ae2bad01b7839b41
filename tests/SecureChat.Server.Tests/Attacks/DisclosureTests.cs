using SecureChat.Bench.Disclosure;

namespace SecureChat.Server.Tests.Attacks;

/// <summary>M3: what a server that keeps times would learn. It is not nothing, and docs/threat-model.md says so; bench/results has the figures.</summary>
public sealed class DisclosureTests
{
    [Theory, InlineData(5), InlineData(500)]
    public void M3_times_name_fewer_correspondents_while_receipts_wait_than_when_they_are_sent_at_once(int messages)
    {
        Assert.True(Found(Receipts.Delayed, messages) < Found(Receipts.AtOnce, messages));
    }

    // The best window for who listens, over several towns of 200.
    private static double Found(Receipts receipts, int messages) => Enumerable.Range(1, 3).Average(seed =>
    {
        var traffic = new SealedTraffic((ulong)seed, people: 200, days: 7, receipts);
        return Attack.Windows.Max(window => Attack.TopOne(traffic, messages, window));
    });
}
