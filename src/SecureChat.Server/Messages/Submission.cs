using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Protocol.Messages;

namespace SecureChat.Server.Messages;

/// <summary>What became of a message: refused at once, or on its way to the store.</summary>
internal readonly struct Submission
{
    public Submission(ProtocolError refusal) => (Refusal, Stored) = (refusal, Task.FromResult(false));

    public Submission(Task<bool> stored) => Stored = stored;

    public ProtocolError? Refusal { get; }

    public TimeSpan RetryAfter { get; init; }

    public IReadOnlyList<RecipientMismatch>? Mismatches { get; init; }

    /// <summary>Completes when the message survives <c>kill -9</c>; false: a recipient's queue is full.</summary>
    public Task<bool> Stored { get; }

    /// <summary>What an HTTP request is answered, once that is known.</summary>
    public async Task<Results<NoContent, ProblemHttpResult>> AnswerAsync()
    {
        if (Refusal is not { } refused)
        {
            return await Stored ? TypedResults.NoContent() : Problem.From(ProtocolError.QueueFull);
        }

        return Mismatches is { } mismatches
            ? Problem.From(refused, null, ("mismatches", mismatches.ToArray()))
            : Problem.From(refused, RetryAfter > TimeSpan.Zero ? RetryAfter : null);
    }
}
