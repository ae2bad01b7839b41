using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Connections;

/// <summary>Every socket of this node: one timer for all, and the reasons to end them.</summary>
internal sealed class SessionTable : BackgroundService
{
    /// <summary>A client that says nothing for this long is asked for a sign of life.</summary>
    public static readonly TimeSpan PingAfter = TimeSpan.FromSeconds(55);

    /// <summary>A client that says nothing for this long is gone.</summary>
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(120);

    /// <summary>A client that takes nothing for this long while data waits is cut off.</summary>
    public static readonly TimeSpan CongestionTimeout = TimeSpan.FromSeconds(30);

    /// <summary>How long the client has to answer a close frame.</summary>
    public static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(5);

    // Nothing takes this long; a token lives for ten minutes.
    private static readonly TimeSpan EndedMemory = TimeSpan.FromMinutes(15);

    private readonly ConcurrentDictionary<ClientSession, byte> _sessions = new();
    private readonly ConcurrentDictionary<long, long> _ended = new();
    private readonly IFrameHandler[] _handlers;
    private readonly int[] _handlerOf = new int[64];
    private readonly bool[] _isLimitedBySlice = new bool[64];
    private readonly AccountNotices _notices;
    private readonly RateLimiter _limiter;
    private readonly Counter<long> _slowReaders;
    private readonly ILogger<SessionTable> _log;
    private volatile bool _draining;

    public SessionTable(
        IEnumerable<IFrameHandler> handlers, AccountNotices notices, RateLimiter limiter, IHostApplicationLifetime life, IMeterFactory meters,
        TimeProvider time, ILogger<SessionTable> log)
    {
        (_handlers, _notices, _limiter, Time, _log) = ([.. handlers], notices, limiter, time, log);
        for (var i = 0; i < _handlers.Length; i++)
        {
            foreach (var (field, limit) in _handlers[i].Fields)
            {
                _handlerOf[field] = i + 1;
                _isLimitedBySlice[field] = limit != RateLimits.SocketFrames;
            }
        }

        var meter = meters.Create("SecureChat.Connections");
        meter.CreateObservableUpDownCounter("securechat.connections", () => _sessions.Count, "{connection}", "Open sockets.");
        _slowReaders = meter.CreateCounter<long>("securechat.connections.slow_readers", "{connection}", "Sockets cut off for not reading.");
        notices.CredentialsEnded += OnCredentialsEnded;
        life.ApplicationStopping.Register(Drain);
    }

    public TimeProvider Time { get; }

    public int Count => _sessions.Count;

    /// <summary>Index of the slice that handles a field, or null.</summary>
    public int? HandlerOf(int field) => field < _handlerOf.Length && _handlerOf[field] > 0 ? _handlerOf[field] - 1 : null;

    /// <summary>Whether the slice takes the field's limit itself.</summary>
    public bool IsLimitedBySlice(int field) => field < _isLimitedBySlice.Length && _isLimitedBySlice[field];

    /// <summary>Takes a block of the device's frames. Zero when granted, else how long to wait.</summary>
    public Task<TimeSpan> TakeFramesAsync(Caller caller, int count) => _limiter.TakeAsync(
        RateLimits.SocketFrames, [.. caller.Account.ToByteArray(bigEndian: true), (byte)caller.Device], count, CancellationToken.None);

    public TimeSpan Elapsed(long since, long now) => Time.GetElapsedTime(since, now);

    public async Task<ISessionFrames[]> OpenAsync(ClientSession session, CancellationToken ct)
    {
        _sessions.TryAdd(session, 0);

        // Both may have happened while the handshake was under way.
        if (_ended.ContainsKey(session.Caller.Epoch))
        {
            session.Close(CloseCode.CredentialsEnded);
        }
        else if (_draining)
        {
            session.Close(CloseCode.GoingAway);
        }

        var frames = new ISessionFrames[_handlers.Length];
        var opened = 0;
        try
        {
            for (; opened < frames.Length; opened++)
            {
                frames[opened] = await _handlers[opened].OpenAsync(session, ct);
            }
        }
        catch
        {
            while (opened-- > 0)
            {
                await frames[opened].CloseAsync();
            }

            throw;
        }

        return frames;
    }

    public void Remove(ClientSession session) => _sessions.TryRemove(session, out _);

    public void CountSlowReader() => _slowReaders.Add(1);

    public override void Dispose()
    {
        _notices.CredentialsEnded -= OnCredentialsEnded;
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), Time);
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
            {
                var now = Time.GetTimestamp();
                foreach (var (session, _) in _sessions)
                {
                    LookAfter(session, now);
                }

                foreach (var ended in _ended)
                {
                    if (Elapsed(ended.Value, now) > EndedMemory)
                    {
                        _ended.TryRemove(ended);
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops; Drain has told the clients.
        }
    }

    // One connection that fails must not end the care for all others, and with it the server.
    private void LookAfter(ClientSession session, long now)
    {
        try
        {
            session.Tick(now);
        }
        catch (Exception e)
        {
            _log.LookingAfterFailed(e.GetType().Name);
        }
    }

    private void OnCredentialsEnded(long epoch)
    {
        // The same epoch is told many times; a socket that is only just opening looks it up itself.
        if (!_ended.TryAdd(epoch, Time.GetTimestamp()))
        {
            return;
        }

        foreach (var (session, _) in _sessions)
        {
            if (session.Caller.Epoch == epoch)
            {
                session.Close(CloseCode.CredentialsEnded);
            }
        }
    }

    private void Drain()
    {
        _draining = true;
        foreach (var (session, _) in _sessions)
        {
            session.Close(CloseCode.GoingAway);
        }
    }
}
