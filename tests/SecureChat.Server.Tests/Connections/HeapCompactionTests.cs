using Microsoft.Extensions.Time.Testing;
using SecureChat.Server.Connections;

namespace SecureChat.Server.Tests.Connections;

public sealed class HeapCompactionTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>Each row: connections as they are counted, and after which counts the heap is compacted.</summary>
    [Theory]
    [InlineData(new[] { 999, 999, 999 }, new int[0])]
    [InlineData(new[] { 1000, 1000, 1000 }, new[] { 1 })]
    [InlineData(new[] { 4000, 8000, 10_000, 10_050, 10_050 }, new[] { 3 })]
    [InlineData(new[] { 10_000, 10_000, 14_900, 14_900, 15_100, 15_100 }, new[] { 1, 5 })]
    [InlineData(new[] { 2000, 2000, 100, 100, 1200, 1200 }, new[] { 1, 5 })]
    [InlineData(new[] { 20_001, 20_001, 20_000 }, new[] { 2 })]
    public async Task The_heap_is_compacted_once_for_each_crowd_when_it_has_come(int[] counts, int[] compactedAfter)
    {
        var time = new FakeTimeProvider();
        var (at, compacted) = (-1, new List<int>());
        using var counted = new SemaphoreSlim(0);
        using var compaction = new HeapCompaction(Count, () => compacted.Add(at), time);
        await compaction.StartAsync(Ct);

        foreach (var _ in counts)
        {
            time.Advance(HeapCompaction.Interval);
            await counted.WaitAsync(Ct);
        }

        await compaction.StopAsync(Ct);
        Assert.Equal(compactedAfter, compacted);

        int Count()
        {
            at++;
            counted.Release();
            return counts[at];
        }
    }
}
