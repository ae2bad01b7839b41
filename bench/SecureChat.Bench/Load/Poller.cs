using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace SecureChat.Bench.Load;

/// <summary>Linux epoll, level-triggered: which of many sockets can be read or written, without a thread pool between.</summary>
internal sealed unsafe partial class Poller : IDisposable
{
    private const int CloseOnExec = 0x80000;
    private const uint In = 1;
    private const uint Out = 4;
    private const int MaxEvents = 256;

    // struct epoll_event is packed on x86-64 only.
    private static readonly int EventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    private readonly int _poll;
    private readonly byte* _events;

    public Poller()
    {
        _poll = epoll_create1(CloseOnExec);
        Check(_poll);
        _events = (byte*)NativeMemory.AllocZeroed((nuint)(MaxEvents * EventSize));
    }

    public void Add(Socket socket, int token) => Control(1, socket, token, In);

    public void Remove(Socket socket) => Control(2, socket, 0, 0);

    /// <summary>Asks to be told also (or no longer) when the socket takes output again.</summary>
    public void WatchOutput(Socket socket, int token, bool watch) => Control(3, socket, token, watch ? In | Out : In);

    /// <summary>Waits for events and returns how many; <see cref="TokenOf"/> names them.</summary>
    public int Wait(TimeSpan timeout)
    {
        var limit = new Timespec
        {
            Seconds = (long)timeout.TotalSeconds,
            Nanoseconds = (long)(timeout.Ticks % TimeSpan.TicksPerSecond) * 100,
        };
        var count = epoll_pwait2(_poll, _events, MaxEvents, &limit, 0);
        if (count < 0 && Marshal.GetLastPInvokeError() == 4)
        {
            return 0; // Interrupted by a signal.
        }

        Check(count);
        return count;
    }

    public int TokenOf(int index) => *(int*)(_events + (index * EventSize) + (EventSize == 12 ? 4 : 8));

    public void Dispose()
    {
        close(_poll);
        NativeMemory.Free(_events);
    }

    private static void Check(int result)
    {
        if (result < 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    private void Control(int operation, Socket socket, int token, uint interest)
    {
        var description = stackalloc byte[16];
        *(uint*)description = interest;
        *(long*)(description + (EventSize == 12 ? 4 : 8)) = token;
        Check(epoll_ctl(_poll, operation, (int)socket.Handle, description));
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(int poll, int operation, int file, byte* description);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_pwait2(int poll, byte* events, int count, Timespec* timeout, nint signals);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int file);

    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
