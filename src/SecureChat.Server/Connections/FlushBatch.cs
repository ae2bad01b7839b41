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

        // Taken off before it is flushed: a connection that fails must not be met again by the next batch of this thread.
        while (touched.Count > 0)
        {
            var session = touched[^1];
            touched.RemoveAt(touched.Count - 1);
            session.Flush();
        }
    }

    public static void Touch(ClientSession session)
    {
        if (_depth > 0)
        {
            _touched ??= [];
            if (_touched.Count == 0 || _touched[^1] != session)
            {
                _touched.Add(session);
            }
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(static session => session.Flush(), session, preferLocal: true);
        }
    }
}
