using SecureChat.Bench.Anomalies;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Tests.Abuse;

/// <summary>The detectors on a small simulated day with a fixed seed; bench/results has the large one.</summary>
public sealed class SimulationTests
{
    [Fact]
    public async Task Fast_attackers_are_found_and_honest_people_are_left_alone()
    {
        var outcomes = await Simulation.RunAsync(seed: 7, people: 2000, TestContext.Current.CancellationToken);

        Assert.All(Detectors.All, detector =>
        {
            var outcome = outcomes[detector.Name];
            Assert.True(outcome.Requests > 0, detector.Name);
            Assert.True(outcome.FalseRate(Grade.Refuse) == 0, $"{detector.Name} refused {outcome.FalseRate(Grade.Refuse):P2}");
            Assert.True(outcome.FalseRate(Grade.Slow) <= 0.03, $"{detector.Name} hindered {outcome.FalseRate(Grade.Slow):P2}");
            if (outcome.Attackers.Count > 0)
            {
                var first = double.IsFinite(detector.Slow) ? Grade.Slow : Grade.Prove;
                Assert.True(outcome.DetectionRate(0, first) >= 0.95, $"{detector.Name} found {outcome.DetectionRate(0, first):P0}");
            }
        });
    }
}
