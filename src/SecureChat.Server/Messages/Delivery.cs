using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Connections;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Messages;

/// <summary>What one connected device gets, in order, in a window of envelopes it has not acknowledged.</summary>
/// <remarks>
/// Three states. Live: everything in the queue up to <c>_through</c> has been sent and new mail goes straight to the socket.
/// Reading: <see cref="ReadAsync"/> follows the queue; mail that arrives meanwhile only sets <c>_more</c>, and reading ends after
/// an empty page with <c>_more</c> unset. Blocked: no room; an acknowledgement or a drained socket starts reading again.
/// The gate is taken under the queue's lock, so nothing under it calls the queue.
/// </remarks>
internal sealed class Delivery(MessageFrames relay, ClientSession session) : IMailListener
{
    private readonly Lock _gate = new();
    private Attachment? _attachment;
    private State _state = State.Reading;
    private bool _more;
    private bool _emptySent;
    private long _through;
    private UnackedWindow _window;
    private AckBatch? _acks;
    private bool _isDeleting;
    private Task _deleting = Task.CompletedTask;

    private enum State
    {
        Live,
        Reading,
        Blocked,
        Closed,
    }

    private DeviceAddress Device => session.Caller.Address;

    /// <summary>Listens, then sends what waits.</summary>
    public async Task AttachAsync(CancellationToken ct)
    {
        _attachment = await relay.Mailbox.AttachAsync(Device, this, ct);
        StartReading();
    }

    public bool OnMail(long position, long previous, ReadOnlyMemory<byte> envelope)
    {
        var start = false;
        lock (_gate)
        {
            if (_state == State.Live && position <= _through)
            {
                return true;
            }

            if (_state == State.Live && previous <= _through && _window.HasRoom && !session.IsCongested)
            {
                Send(position, envelope.Span);
                return true;
            }

            _more = true;
            if (_state == State.Live)
            {
                _state = State.Reading;
                start = true;
            }
        }

        if (start)
        {
            StartReading();
        }

        return false;
    }

    public void OnWaiting()
    {
        lock (_gate)
        {
            _more = true;
            if (_state != State.Live)
            {
                return;
            }

            _state = State.Reading;
        }

        StartReading();
    }

    public void OnLive(ReadOnlyMemory<byte> envelope)
    {
        // Worth nothing later: whoever is behind does without.
        if (!session.IsCongested)
        {
            Write(0, envelope.Span);
        }
    }

    public void OnDisplaced() => session.Close(CloseCode.Displaced);

    public Task SettledAsync()
    {
        lock (_gate)
        {
            return _deleting;
        }
    }

    /// <summary>Deletes what the device has kept.</summary>
    /// <remarks>
    /// The next frame does not wait for it, up to a limit: what is acknowledged while the store is busy goes there in one go, as does
    /// what comes within a moment when the store is elsewhere. A client that closes right after its last acknowledgement has still
    /// been heard, and its next connection waits for that.
    /// </remarks>
    /// <param name="request">Answered when it is not 0.</param>
    public Task AckAsync(List<long> positions, ulong request)
    {
        var now = relay.Time.GetTimestamp();
        bool isFirst;
        lock (_gate)
        {
            foreach (var position in positions)
            {
                if (_window.Remove(position, out var sentAt))
                {
                    relay.Metrics.Acknowledged(relay.Time.GetElapsedTime(sentAt, now));
                }
            }

            (_acks ??= new AckBatch()).Add(positions, request);
            isFirst = !_isDeleting;
            _isDeleting = true;
            if (isFirst && relay.Mailbox.IsShared)
            {
                _deleting = DeleteSoonAsync();
            }
        }

        Resume();
        if (isFirst && !relay.Mailbox.IsShared)
        {
            _deleting = DeleteAsync();
        }

        return _acks is { IsFull: true } ? _deleting : Task.CompletedTask;
    }

    /// <summary>Room may be there again.</summary>
    public void Resume()
    {
        lock (_gate)
        {
            if (_state != State.Blocked || !_window.HasRoom || session.IsCongested)
            {
                return;
            }

            _state = State.Reading;
        }

        StartReading();
    }

    /// <summary>Sends again what was not acknowledged in time; a client that is behind has not read the first copy yet.</summary>
    public void Tick()
    {
        List<long>? late;
        lock (_gate)
        {
            late = _state == State.Closed || session.IsCongested ? null : _window.TakeLate(relay.Time);
        }

        if (late is not null)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static work => _ = work.Delivery.ResendAsync(work.Late), (Delivery: this, Late: late), preferLocal: false);
        }

        Resume();
    }

    public async ValueTask CloseAsync()
    {
        lock (_gate)
        {
            _state = State.Closed;
        }

        await _deleting;
        if (_attachment is { } attachment)
        {
            try
            {
                await relay.Mailbox.DetachAsync(attachment, CancellationToken.None);
            }
            catch (Exception e)
            {
                // Presence ends by itself.
                relay.Log.SweepFailed(e.GetType().Name);
            }
        }
    }

    // Begins under the gate, where the queue may not be called: the pause comes first.
    private async Task DeleteSoonAsync()
    {
        await Task.Delay(AckGather, relay.Time, CancellationToken.None);
        await DeleteAsync();
    }

    private async Task DeleteAsync()
    {
        while (NextAcks() is { } acks)
        {
            await acks.DeleteAsync(relay, session);
        }
    }

    // Null in the same breath as the next acknowledgement may start anew.
    private AckBatch? NextAcks()
    {
        lock (_gate)
        {
            var next = _acks;
            _acks = null;
            _isDeleting = next is not null;
            return next;
        }
    }

    private void StartReading() =>
        ThreadPool.UnsafeQueueUserWorkItem(static delivery => _ = delivery.ReadAsync(), this, preferLocal: true);

    private async Task ReadAsync()
    {
        try
        {
            while (NextPage() is var (after, count))
            {
                var page = await relay.Queue.ReadAsync(Device, after, count, CancellationToken.None);
                FlushBatch.Begin();
                try
                {
                    if (SendPage(page))
                    {
                        return;
                    }
                }
                finally
                {
                    FlushBatch.End();
                }
            }
        }
        catch (Exception e)
        {
            // The client comes back, on this node or another, and reads again.
            relay.Log.ReadFailed(e.GetType().Name);
            session.Close(CloseCode.InternalError);
        }
    }

    private (long After, int Count)? NextPage()
    {
        lock (_gate)
        {
            if (_state == State.Closed)
            {
                return null;
            }

            if (!_window.HasRoom || session.IsCongested)
            {
                _state = State.Blocked;
                return null;
            }

            _more = false;
            return (_through, Math.Min(_window.Room, PageSize));
        }
    }

    // True when reading has come to its end.
    private bool SendPage(IReadOnlyList<StoredMail> page)
    {
        lock (_gate)
        {
            if (_state == State.Closed)
            {
                return true;
            }

            foreach (var mail in page)
            {
                if (!_window.HasRoom)
                {
                    _state = State.Blocked;
                    return true;
                }

                Send(mail.Position, mail.Envelope.Span);
            }

            if (page.Count > 0 || _more)
            {
                return false;
            }

            if (!_emptySent)
            {
                _emptySent = true;
                session.Write(QueueEmptyFrame, default);
            }

            _state = State.Live;
            return true;
        }
    }

    private async Task ResendAsync(List<long> late)
    {
        try
        {
            foreach (var position in late)
            {
                var found = await relay.Queue.ReadAsync(Device, position - 1, 1, CancellationToken.None);
                lock (_gate)
                {
                    if (_state == State.Closed)
                    {
                        return;
                    }

                    if (found is not [var mail] || mail.Position != position)
                    {
                        // Expired, or acknowledged by another way.
                        _window.Remove(position, out _);
                    }
                    else if (_window.Contains(position))
                    {
                        relay.Metrics.Redelivered();
                        Write(position, mail.Envelope.Span);
                    }
                }
            }
        }
        catch (Exception e)
        {
            relay.Log.ReadFailed(e.GetType().Name);
        }
    }

    // The gate is held.
    private void Send(long position, ReadOnlySpan<byte> envelope)
    {
        _through = position;
        _window.Add(position, envelope.Length, relay.Time.GetTimestamp());
        Write(position, envelope);
    }

    private void Write(long position, ReadOnlySpan<byte> envelope)
    {
        Span<byte> head = stackalloc byte[ServerFrames.MaxDeliverHead];
        var length = ServerFrames.DeliverHead(head, position, envelope.Length);
        session.Write(head[..length], envelope);
    }

    private const int PageSize = 64;
    private static readonly TimeSpan AckGather = TimeSpan.FromMilliseconds(10);
    private static readonly byte[] QueueEmptyFrame = Google.Protobuf.MessageExtensions.ToByteArray(
        new ServerFrame { QueueEmpty = new QueueEmpty() });
}
