using System.Collections.Concurrent;
using System.Reflection;
using SecureChat.Tests;
using Xunit.v3;

[assembly: EndsInTime]

namespace SecureChat.Tests;

/// <summary>
/// Cancels a test that hangs, and says which one it is: otherwise the run's own limit ends the whole project without a name.
/// Not when a <c>CHAT_TEST_…</c> variable is set: those make tests as long as one likes.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class EndsInTimeAttribute : BeforeAfterTestAttribute
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(8);

    private static readonly bool IsLimited = !Environment.GetEnvironmentVariables().Keys.Cast<string>()
        .Any(name => name.StartsWith("CHAT_TEST_", StringComparison.Ordinal));

    private readonly ConcurrentDictionary<string, Timer> _running = new();

    /// <inheritdoc/>
    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (!IsLimited)
        {
            return;
        }

        var context = TestContext.Current;
        _running[test.UniqueID] = new Timer(
            _ =>
            {
#pragma warning disable RS0030 // A test that does not heed its cancellation never reports anything itself.
                Console.Error.WriteLine($"{test.TestDisplayName} is not done after {Longest.TotalMinutes} minutes and is cancelled.");
#pragma warning restore RS0030
                context.CancelCurrentTest();
            },
            state: null, Longest, Timeout.InfiniteTimeSpan);
    }

    /// <inheritdoc/>
    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (_running.TryRemove(test.UniqueID, out var timer))
        {
            timer.Dispose();
        }
    }
}
