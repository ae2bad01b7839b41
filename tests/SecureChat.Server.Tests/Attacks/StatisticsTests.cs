namespace SecureChat.Server.Tests.Attacks;

/// <summary>The two tests that judge times, on samples whose results can be reckoned by hand.</summary>
public sealed class StatisticsTests
{
    [Fact]
    public void Welchs_test_finds_what_is_reckoned_by_hand()
    {
        var (t, p) = Statistics.Welch([1, 2, 3, 4, 5], [2, 4, 6, 8, 10]);
        var mirrored = Statistics.Welch([2, 4, 6, 8, 10], [1, 2, 3, 4, 5]);

        Assert.Equal(-1.8974, t, 0.0001);
        Assert.Equal(0.0578, p, 0.0001);
        Assert.Equal((-t, p), mirrored);
    }

    [Fact]
    public void Kolmogorov_and_Smirnovs_test_finds_what_is_reckoned_by_hand()
    {
        double[] one = [.. Enumerable.Range(1, 10)], other = [.. Enumerable.Range(6, 10)];

        var (d, p) = Statistics.KolmogorovSmirnov(one, other);

        Assert.Equal(0.5, d, 0.0001);
        Assert.Equal(0.1108, p, 0.0001);
        Assert.Equal((0, 1), Statistics.KolmogorovSmirnov(one, one));
        Assert.Equal(1, Statistics.KolmogorovSmirnov(one, [.. Enumerable.Range(20, 10)]).D);
    }

    [Fact]
    public void A_shift_of_a_third_of_the_spread_is_seen_in_a_hundred_samples_and_equal_ones_are_not_told_apart()
    {
        double[] Sample(double shift) => [.. Enumerable.Range(0, 100).Select(i => (i * 37 % 100 / 100.0) + shift)];

        Assert.True(Statistics.Welch(Sample(0), Sample(0.33)).P < 0.001 && Statistics.KolmogorovSmirnov(Sample(0), Sample(0.33)).P < 0.001);
        Assert.True(Statistics.Welch(Sample(0), Sample(0.01)).P > 0.5 && Statistics.KolmogorovSmirnov(Sample(0), Sample(0.01)).P > 0.5);
    }
}
