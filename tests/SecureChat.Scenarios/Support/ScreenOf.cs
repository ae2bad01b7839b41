using System.Diagnostics;
using System.Text;

namespace SecureChat.Scenarios.Support;

/// <summary>A program in a terminal of its own (<c>script</c>): what it has drawn so far, and keys for it.</summary>
internal sealed class ScreenOf : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    private readonly Process _terminal;
    private readonly StringBuilder _drawn = new();
    private readonly Task _drawing;

    public ScreenOf(Process terminal) => (_terminal, _drawing) = (terminal, DrawAsync(terminal));

    public async Task TypeAsync(string keys, CancellationToken ct)
    {
        await _terminal.StandardInput.WriteAsync(keys.AsMemory(), ct);
        await _terminal.StandardInput.FlushAsync(ct);
    }

    /// <summary>Waits until a text stands there, or has.</summary>
    public async Task ShowsAsync(string text, CancellationToken ct)
    {
        for (var waited = Stopwatch.StartNew(); !Drawn().Contains(text, StringComparison.Ordinal);)
        {
            Assert.True(waited.Elapsed < Patience && !_terminal.HasExited, $"'{text}' is not on the screen:\n{Drawn()}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, ct);
        }
    }

    /// <summary>Waits for its end, and until all of it is drawn.</summary>
    /// <returns>The program's exit code.</returns>
    public async Task<int> EndAsync(CancellationToken ct)
    {
        try
        {
            await _terminal.WaitForExitAsync(ct).WaitAsync(Longest, TimeProvider.System, ct);
            await _drawing.WaitAsync(Longest, TimeProvider.System, ct);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"It does not end:\n{Drawn()}");
        }

        return _terminal.ExitCode;
    }

    /// <summary>Everything that it has drawn so far, escape codes and all.</summary>
    public string Drawn()
    {
        lock (_drawn)
        {
            return _drawn.ToString();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_terminal.HasExited)
        {
            _terminal.Kill(entireProcessTree: true);
        }

        await _drawing;
        _terminal.Dispose();
    }

    private async Task DrawAsync(Process terminal)
    {
        var piece = new char[4096];
        while (await terminal.StandardOutput.ReadAsync(piece) is var read and > 0)
        {
            lock (_drawn)
            {
                _drawn.Append(piece, 0, read);
            }
        }
    }
}
