using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Filters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace SecureChat.Bench.Rows;

/// <summary>What one operation costs: the median of its time over the batches, and what it allocates.</summary>
internal sealed record RowCost(double Microseconds, long Bytes);

/// <summary>Measures this library's rows with BenchmarkDotNet, in this process.</summary>
internal static class OurRows
{
    public static Dictionary<string, RowCost> Measure(string only)
    {
        var costs = new Dictionary<string, RowCost>();
        foreach (var type in new[] { typeof(SessionRows), typeof(SealedRows), typeof(GroupRows), typeof(KeyRows) }.Where(type => type.GetMethod(only) is not null))
        {
            var summary = BenchmarkRunner.Run(type, Config(only));
            foreach (var report in summary.Reports)
            {
                var statistics = report.ResultStatistics ?? throw new BenchException($"{report.BenchmarkCase.DisplayInfo} failed.");
                var bytes = report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase) ?? 0;
                costs[report.BenchmarkCase.Descriptor.WorkloadMethod.Name] = new RowCost(statistics.Median / 1000, bytes);
            }
        }

        return costs;
    }

    /// <summary>
    /// A batch is one invocation of many operations, as in the script for the official client, and as many of them.
    /// </summary>
    private static ManualConfig Config(string only)
    {
        var job = Job.Default
            .WithToolchain(InProcessEmitToolchain.Instance)
            .WithInvocationCount(1)
            .WithUnrollFactor(1)
            .WithWarmupCount(15)
            .WithIterationCount(21);
        return ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddLogger(new ErrorLogger())
            .WithOptions(ConfigOptions.DisableLogFile)
            .WithArtifactsPath(Path.Combine(Repository.Root, "artifacts", "benchmarks"))
            .AddFilter(new NameFilter(name => name == only));
    }

    /// <summary>The report says what was measured; only what went wrong is passed on.</summary>
    private sealed class ErrorLogger : ILogger
    {
        public string Id => nameof(ErrorLogger);

        public int Priority => 0;

        public void Write(LogKind logKind, string text)
        {
            if (logKind == LogKind.Error)
            {
                Terminal.Progress(text);
            }
        }

        public void WriteLine()
        {
        }

        public void WriteLine(LogKind logKind, string text) => Write(logKind, text);

        public void Flush()
        {
        }
    }
}
