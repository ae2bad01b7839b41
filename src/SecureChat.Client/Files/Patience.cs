using SecureChat.Client.Connection;

namespace SecureChat.Client.Files;

/// <summary>How long a transfer goes on over a bad line: for as long as something comes through now and then.</summary>
internal sealed class Patience(TimeProvider time)
{
    private const int MaxFailures = 8;

    private readonly Backoff _backoff = new();
    private int _failures;

    /// <summary>Something came through.</summary>
    public void Renew()
    {
        _failures = 0;
        _backoff.Reset();
    }

    /// <summary>Whether to try again after this failure.</summary>
    public bool Allows(Exception failure, CancellationToken ct) =>
        !ct.IsCancellationRequested && _failures < MaxFailures
        && failure is HttpRequestException or IOException or OperationCanceledException or ServerException { Status: 409 or 429 or >= 500 };

    /// <summary>Waits before the next try.</summary>
    public Task WaitAsync(Exception failure, CancellationToken ct)
    {
        _failures++;
        var wait = failure is ServerException { RetryAfter: { } asked } ? asked : _backoff.Next();
        return Task.Delay(wait, time, ct);
    }
}
