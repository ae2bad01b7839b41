using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace SecureChat.Server.Tests.Support;

/// <summary>Everything a server logs: messages, their values by name, scopes and exceptions.</summary>
internal sealed class LogCapture : ILoggerProvider, ISupportExternalScope
{
    private readonly ConcurrentQueue<string> _lines = new();
    private IExternalScopeProvider? _scopes;

    public string Text => string.Join('\n', _lines);

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

    public void Dispose()
    {
    }

    private sealed class Logger(LogCapture capture, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var values = state is IEnumerable<KeyValuePair<string, object?>> pairs ? string.Join(' ', pairs) : "";
            capture._lines.Enqueue($"{category}: {formatter(state, exception)} {values} {exception}");
            capture._scopes?.ForEachScope((scope, lines) => lines.Enqueue($"  in {scope}"), capture._lines);
        }
    }
}
