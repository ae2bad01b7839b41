using System.Collections.Concurrent;

namespace SecureChat.Server.Media;

/// <summary>One request at a time works on an upload. Who comes later is right: the connection of who came before is dead.</summary>
internal sealed class UploadTurns
{
    private readonly ConcurrentDictionary<string, Turn> _turns = new(StringComparer.Ordinal);

    /// <summary>Interrupts who has the turn and waits until it has ended.</summary>
    public async Task<Turn> TakeAsync(string name, CancellationToken ct)
    {
        var mine = new Turn(this, name);
        while (true)
        {
            var held = _turns.GetOrAdd(name, mine);
            if (held == mine)
            {
                return mine;
            }

            await held.InterruptAsync(ct);
        }
    }

    /// <summary>The right to work on an upload until disposed.</summary>
    internal sealed class Turn(UploadTurns turns, string name) : IDisposable
    {
        private readonly CancellationTokenSource _interruption = new();
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Somebody else wants the turn.</summary>
        public CancellationToken Interrupted => _interruption.Token;

        public async Task InterruptAsync(CancellationToken ct)
        {
            try
            {
                await _interruption.CancelAsync();
            }
            catch (ObjectDisposedException)
            {
                // It has ended by itself.
            }

            await _end.Task.WaitAsync(ct);
        }

        public void Dispose()
        {
            turns._turns.TryRemove(KeyValuePair.Create(name, this));
            _interruption.Dispose();
            _end.SetResult();
        }
    }
}
