using Microsoft.Extensions.Time.Testing;

namespace SecureChat.Server.Tests.Support;

/// <summary>The clock of a test: stepped where all time is ours, real where a store has a clock of its own.</summary>
public sealed class TestClock
{
    private readonly FakeTimeProvider? _stepped;

    internal TestClock(bool isReal)
    {
        if (!isReal)
        {
            _stepped = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        }
    }

    public TimeProvider Time => _stepped ?? TimeProvider.System;

    public DateTimeOffset Now => Time.GetUtcNow();

    /// <summary>Lets time pass. With a real clock this waits, so keep it short.</summary>
    public Task PassAsync(TimeSpan time)
    {
        _stepped?.Advance(time);
        return _stepped is null ? Task.Delay(time, TimeProvider.System) : Task.CompletedTask;
    }
}
