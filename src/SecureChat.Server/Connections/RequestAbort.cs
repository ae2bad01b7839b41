namespace SecureChat.Server.Connections;

/// <summary>Aborts a request from outside of it, as long as it is under way.</summary>
/// <remarks>Kestrel uses a context again for the next request: aborting one that is over would throw, or end somebody else's.</remarks>
internal sealed class RequestAbort(HttpContext context)
{
    private readonly Lock _gate = new();
    private bool _isOver;

    public void Abort()
    {
        lock (_gate)
        {
            if (!_isOver)
            {
                context.Abort();
            }
        }
    }

    /// <summary>To be called before the request ends.</summary>
    public void End()
    {
        lock (_gate)
        {
            _isOver = true;
        }
    }
}
