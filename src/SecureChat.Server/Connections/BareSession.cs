using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text.Unicode;
using Microsoft.AspNetCore.Connections;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Connections;

/// <summary>A session on a bare connection: nothing per socket but this object and what Kestrel keeps.</summary>
internal sealed class BareSession(ConnectionContext connection, Caller caller, bool isJson, SessionTable table)
    : ClientSession(caller, isJson, table)
{
    // The client has taken something when one flush is done, so no flush may be more than a slow client takes in a few seconds.
    private const int MostAtOnce = 64 * 1024;

    private readonly PipeWriter _output = connection.Transport.Output;
    private FrameReader _reader;
    private ArrayBufferWriter<byte>? _behind;
    private int _taken;
    private bool _dirty;
    private long _flushingSince;
    private TaskCompletionSource? _uncongested;
    private bool _peerClosed;
    private bool _ended;

    /// <summary>The connection's own buffer is full.</summary>
    public override bool IsCongested => WaitingSince != 0;

    protected override long WaitingSince => Volatile.Read(ref _flushingSince);

    /// <summary>Lives until the socket is closed by either side.</summary>
    public async Task RunAsync()
    {
        try
        {
            await OpenAsync(connection.ConnectionClosed);
            await ReceiveAllAsync(connection.Transport.Input);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The client went away, or was cut off.
        }
        finally
        {
            _reader.Release();
            await LeaveAsync();

            // Whoever still holds this session must not write into a connection that is gone.
            lock (Gate)
            {
                _ended = true;
            }
        }
    }

    public override void Abort() => connection.Abort(new ConnectionAbortedException("The client did not keep up."));

    protected override void Append(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail) =>
        AppendFrame(IsJson ? Opcode.Text : Opcode.Binary, head, tail);

    protected override void AppendClose(CloseCode code)
    {
        Span<byte> payload = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(payload, (ushort)code);
        AppendFrame(Opcode.Close, payload, default);
    }

    protected override void BeginFlush()
    {
        while (_dirty && !IsCongested && !_ended)
        {
            _dirty = false;
            var flush = _output.FlushAsync();
            if (flush.IsCompletedSuccessfully)
            {
                TakeBehind();
            }
            else
            {
                Volatile.Write(ref _flushingSince, Table.Time.GetTimestamp());
                _ = FinishFlushAsync(flush);
            }
        }
    }

    protected override void Ping() => WriteControl(Opcode.Ping, default);

    private async Task ReceiveAllAsync(PipeReader input)
    {
        while (!_peerClosed)
        {
            var result = await input.ReadAsync();
            var buffer = result.Buffer;
            bool isStopped;
            ValueTask handled;
            FlushBatch.Begin();
            try
            {
                isStopped = Consume(ref buffer, out handled);
            }
            finally
            {
                FlushBatch.End();
            }

            // What was not looked at because a frame takes its time must be offered again without new data.
            input.AdvanceTo(buffer.Start, isStopped ? buffer.Start : buffer.End);
            await handled;
            if (result.IsCompleted && !isStopped)
            {
                return;
            }

            if (IsCongested)
            {
                await UncongestedAsync();
            }
        }
    }

    // True: stopped at a frame whose handling takes longer, or for good.
    private bool Consume(ref ReadOnlySequence<byte> buffer, out ValueTask handled)
    {
        handled = ValueTask.CompletedTask;
        while (!_peerClosed)
        {
            switch (_reader.Read(ref buffer, out var opcode, out var payload))
            {
                case ReadResult.NeedsMore:
                    return false;
                case ReadResult.Message:
                    handled = ReceiveAsync(payload, opcode == Opcode.Text);
                    break;
                case ReadResult.Control:
                    OnControl(opcode, payload);
                    break;
                case ReadResult.ProtocolError:
                    return Fail(CloseCode.ProtocolError);
                case ReadResult.TooBig:
                    return Fail(CloseCode.TooBig);
                case ReadResult.InvalidText:
                    return Fail(CloseCode.InvalidData);
            }

            // A congested socket is not asked for more: its answers would pile up here.
            if (!handled.IsCompletedSuccessfully || IsCongested)
            {
                return true;
            }
        }

        return true;
    }

    // What follows a broken frame cannot be understood: the connection ends without waiting for the client's farewell.
    private bool Fail(CloseCode code)
    {
        Close(code);
        _peerClosed = true;
        return true;
    }

    private void OnControl(Opcode opcode, ReadOnlySpan<byte> payload)
    {
        LastHeard = Table.Time.GetTimestamp();
        switch (opcode)
        {
            case Opcode.Ping:
                WriteControl(Opcode.Pong, payload);
                break;
            case Opcode.Close:
                // The client's own reason is of no use here; it only has to be well-formed.
                Close(IsGoodFarewell(payload) ? CloseCode.Normal : CloseCode.ProtocolError);
                _peerClosed = true;
                break;
        }
    }

    private static bool IsGoodFarewell(ReadOnlySpan<byte> payload) =>
        payload.IsEmpty
        || (payload.Length >= 2
            && BinaryPrimitives.ReadUInt16BigEndian(payload) is (>= 1000 and <= 1003) or (>= 1007 and <= 1014) or (>= 3000 and <= 4999)
            && Utf8.IsValid(payload[2..]));

    private void WriteControl(Opcode opcode, ReadOnlySpan<byte> payload)
    {
        lock (Gate)
        {
            if (IsClosing)
            {
                return;
            }

            AppendFrame(opcode, payload, default);
        }

        FlushBatch.Touch(this);
    }

    // The gate is held.
    private void AppendFrame(Opcode opcode, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail)
    {
        if (_ended)
        {
            return;
        }

        var isFull = _behind is not null || IsCongested || _output.UnflushedBytes >= MostAtOnce;
        FrameWriter.Write(isFull ? _behind ??= new ArrayBufferWriter<byte>() : _output, opcode, head, tail);
        _dirty = true;
    }

    // The gate is held, and all that was written before has been flushed.
    private void TakeBehind()
    {
        if (_behind is null)
        {
            return;
        }

        var left = _behind.WrittenSpan[_taken..];
        var piece = left[..Math.Min(left.Length, MostAtOnce)];
        _output.Write(piece);
        _taken += piece.Length;
        _dirty = true;
        if (piece.Length == left.Length)
        {
            (_behind, _taken) = (null, 0);
        }
    }

    private async Task FinishFlushAsync(ValueTask<FlushResult> flush)
    {
        try
        {
            await flush;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The reading side learns it too.
        }

        lock (Gate)
        {
            Volatile.Write(ref _flushingSince, 0);
            TakeBehind();
            BeginFlush();
            if (IsCongested)
            {
                return;
            }

            _uncongested?.TrySetResult();
            _uncongested = null;
        }

        OnWritable();
    }

    private Task UncongestedAsync()
    {
        lock (Gate)
        {
            return IsCongested
                ? (_uncongested ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task.WaitAsync(connection.ConnectionClosed)
                : Task.CompletedTask;
        }
    }
}
