namespace SecureChat.Cli.Tests.Support;

/// <summary>The clock of this machine, and what a transcript has slept through on top of it.</summary>
internal sealed class PassedTime : TimeProvider
{
    private long _ticks;

    public void Pass(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref _ticks));
}
