using SecureChat.Client.Messages;

namespace SecureChat.Client.Connection;

/// <summary>How long to wait before the next try to connect: longer each time, never the same for two clients.</summary>
internal sealed class Backoff
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    private int _failures;

    /// <summary>After the server stopped: everybody comes back, not all at once.</summary>
    public static TimeSpan AfterStop => Jitter.Below(TimeSpan.FromSeconds(5));

    /// <summary>The connection held: the next wait is a short one.</summary>
    public void Reset() => _failures = 0;

    public TimeSpan Next()
    {
        var wait = First * Math.Pow(2, Math.Min(_failures++, 10));
        return Jitter.Of(wait < Longest ? wait : Longest);
    }
}
