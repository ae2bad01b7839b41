using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace SecureChat.Bench.Load;

/// <summary>One non-blocking TCP connection: output is gathered and sent once per event, input is parsed in place.</summary>
internal abstract class Connection : IDisposable
{
    private const int OutputSize = 64 * 1024;

    private EventLoop _loop = null!;
    private byte[]? _partial;
    private int _partialLength;
    private byte[]? _output;
    private int _sent;
    private int _written;
    private bool _unflushed;
    private bool _blocked;

    public Socket Socket { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    public int Token { get; private set; }

    public void Attach(EventLoop loop, int token, IPEndPoint server)
    {
        if (!IPAddress.IsLoopback(server.Address))
        {
            throw new InvalidOperationException("Load goes to this machine only.");
        }

        _loop = loop;
        Token = token;
        Socket.Connect(server);
        Socket.Blocking = false;
    }

    /// <summary>Speaks first.</summary>
    public abstract void Begin();

    public void OnReady()
    {
        if (_blocked)
        {
            Flush();
        }

        var input = _loop.Input;
        var kept = _partialLength;
        if (_partial is not null)
        {
            _partial.AsSpan(0, kept).CopyTo(input);
            ArrayPool<byte>.Shared.Return(_partial);
            _partial = null;
            _partialLength = 0;
        }

        var received = Socket.Receive(input.AsSpan(kept), SocketFlags.None, out var error);
        if (error is not (SocketError.Success or SocketError.WouldBlock) || (error == SocketError.Success && received == 0))
        {
            throw new BenchException($"The server closed a connection ({error}). {LastWords}");
        }

        var filled = kept + (error == SocketError.Success ? received : 0);
        Keep(input.AsSpan(0, filled)[Consume(input.AsSpan(0, filled))..]);
    }

    public void Flush()
    {
        if (_unflushed)
        {
            OnFlush();
            _unflushed = false;
        }

        while (_output is not null && _sent < _written)
        {
            var count = Socket.Send(_output.AsSpan(_sent, _written - _sent), SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
            {
                Block(true);
                return;
            }

            if (error != SocketError.Success)
            {
                throw new BenchException($"Sending failed ({error}). {LastWords}");
            }

            _sent += count;
        }

        Block(false);
        if (_output is { Length: OutputSize })
        {
            _loop.Buffers.Push(_output);
        }

        _output = null;
        _sent = _written = 0;
    }

    public void Dispose() => Socket.Dispose();

    /// <summary>What the server said before it hung up, if it said why.</summary>
    protected string LastWords { get; set; } = "";

    /// <summary>Handles whole frames and returns how many bytes they took; the rest comes again with more behind it.</summary>
    protected abstract int Consume(ReadOnlySpan<byte> input);

    /// <summary>Called once before output is sent: the place for what is said once per batch.</summary>
    protected virtual void OnFlush()
    {
    }

    /// <summary>Room for <paramref name="size"/> bytes of output; <see cref="Commit"/> says how many were written.</summary>
    protected Span<byte> Reserve(int size)
    {
        Touch();
        _output ??= _loop.Buffers.TryPop(out var lent) ? lent : new byte[OutputSize];
        if (_output.Length - _written < size)
        {
            Array.Resize(ref _output, Math.Max(_output.Length * 2, _written + size));
        }

        return _output.AsSpan(_written, size);
    }

    protected void Commit(int size) => _written += size;

    protected void Write(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        Commit(bytes.Length);
    }

    /// <summary>Sees to it that <see cref="OnFlush"/> is called at the end of this event.</summary>
    protected void Touch()
    {
        if (!_unflushed)
        {
            _unflushed = true;
            _loop.ToFlush(this);
        }
    }

    private void Keep(ReadOnlySpan<byte> rest)
    {
        if (rest.Length == 0)
        {
            return;
        }

        _partial = ArrayPool<byte>.Shared.Rent(rest.Length);
        rest.CopyTo(_partial);
        _partialLength = rest.Length;
    }

    private void Block(bool blocked)
    {
        if (blocked != _blocked)
        {
            _blocked = blocked;
            _loop.WatchOutput(this, blocked);
        }
    }
}
