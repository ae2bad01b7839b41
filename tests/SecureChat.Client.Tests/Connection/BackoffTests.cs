using SecureChat.Client.Connection;

namespace SecureChat.Client.Tests.Connection;

/// <summary>Waits between tries to connect.</summary>
public sealed class BackoffTests
{
    [Fact]
    public void Waits_double_from_a_second_to_a_minute_and_begin_anew_after_a_connection()
    {
        var backoff = new Backoff();
        double[] around = [1, 2, 4, 8, 16, 32, 60, 60, 60];

        foreach (var seconds in around)
        {
            Assert.InRange(backoff.Next().TotalSeconds, seconds * 0.75, seconds * 1.25);
        }

        backoff.Reset();
        Assert.InRange(backoff.Next().TotalSeconds, 0.75, 1.25);
    }

    [Fact]
    public void No_two_clients_of_a_hundred_wait_equally_long()
    {
        var first = Enumerable.Range(0, 100).Select(_ => new Backoff().Next()).ToList();
        var stopped = Enumerable.Range(0, 100).Select(_ => Backoff.AfterStop).ToList();

        Assert.True(first.Distinct().Count() > 90 && first.Max() - first.Min() > TimeSpan.FromSeconds(0.3));
        Assert.True(stopped.Distinct().Count() > 90 && stopped.Max() - stopped.Min() > TimeSpan.FromSeconds(3));
        Assert.All(stopped, wait => Assert.InRange(wait.TotalSeconds, 0, 5));
    }
}
