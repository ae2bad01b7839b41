using System.Collections.Concurrent;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Tests.Support;

/// <summary>Catches one-time codes by challenge. Takes the console's place.</summary>
internal sealed class Outbox : IOtpProvider
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<OtpMessage>> _sent = new();

    public OtpChannel Channel => OtpChannel.Console;

    public int Count => _sent.Count(entry => entry.Value.Task.IsCompleted);

    public Task SendAsync(OtpMessage message, CancellationToken ct)
    {
        Slot(message.Challenge.Challenge).TrySetResult(message);
        return Task.CompletedTask;
    }

    /// <summary>The code, once it was sent.</summary>
    public async Task<string> CodeAsync(string challenge) =>
        (await Slot(challenge).Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken)).Code;

    private TaskCompletionSource<OtpMessage> Slot(string challenge) =>
        _sent.GetOrAdd(challenge, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}
