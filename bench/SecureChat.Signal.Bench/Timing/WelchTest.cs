namespace SecureChat.Bench.Timing;

/// <summary>Welch's t of two classes of samples, taken in one by one.</summary>
internal sealed class WelchTest
{
    private readonly double[] _count = new double[2];
    private readonly double[] _mean = new double[2];
    private readonly double[] _squares = new double[2];

    /// <summary>Above zero when the second class takes longer; beyond 4.5 either way the classes differ.</summary>
    public double T
    {
        get
        {
            var error = (Variance(0) / _count[0]) + (Variance(1) / _count[1]);
            return error > 0 ? (_mean[1] - _mean[0]) / Math.Sqrt(error) : 0;
        }
    }

    /// <summary>Welford's update of mean and variance.</summary>
    public void Add(int which, double sample)
    {
        _count[which]++;
        var difference = sample - _mean[which];
        _mean[which] += difference / _count[which];
        _squares[which] += difference * (sample - _mean[which]);
    }

    private double Variance(int which) => _count[which] > 1 ? _squares[which] / (_count[which] - 1) : 0;
}
