namespace SecureChat.Server.Hosting;

/// <summary>Keeps no logging scopes: nothing writes them, and each open connection would hold the framework's for as long as it lives.</summary>
internal sealed class NoScopes : IExternalScopeProvider, IDisposable
{
    public void ForEachScope<TState>(Action<object?, TState> callback, TState state)
    {
    }

    public IDisposable Push(object? state) => this;

    public void Dispose()
    {
    }
}
