namespace SecureChat.Server.Connections;

/// <summary>Gathers what is written to sockets while one thread handles one piece of input: each socket is flushed once.</summary>
/// <remarks>Outside a batch, flushing moves to the thread pool, because writers may hold locks.</remarks>
internal static class FlushBatch
{
    [ThreadStatic]
    private static List<ClientSession>? _touched;

    [ThreadStatic]
    private static int _depth;

    public static void Begin() => _depth++;

    /// <summary>Must run on the thread that began, with no lock held.</summary>
    public static void End()
    {
        if (--_depth > 0 || _touched is not { Count: > 0 } touched)
        {
            return;
        }

        // A flush may run a peer's handlers on this thread, which may touch more.
        for (var i = 0; i < touched.Count; i++)
        {
            touched[i].Flush();
        }

        touched.Clear();
    }

    public static void Touch(ClientSession session)
    {
        if (_depth > 0)
        {
            (_touched ??= []).Add(session);
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(static session => session.Flush(), session, preferLocal: true);
        }
    }
}
