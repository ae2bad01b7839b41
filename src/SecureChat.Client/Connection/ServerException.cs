using SecureChat.Protocol.Messages;

namespace SecureChat.Client.Connection;

/// <summary>The server refused. Branch on <see cref="Code"/>: docs/protocol/errors.md.</summary>
#pragma warning disable CA1032 // A refusal without a code does not exist.
public sealed class ServerException(string code, int status, string title) : Exception($"{title} ({code})")
#pragma warning restore CA1032
{
    /// <summary>The stable code; <c>unexpected</c> for an answer that is none of the protocol's.</summary>
    public string Code => code;

    /// <summary>The HTTP status.</summary>
    public int Status => status;

    /// <summary>How long to wait, where the server said so.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>With <c>mismatched_devices</c> and <c>stale_devices</c>.</summary>
    public IReadOnlyList<RecipientMismatch> Mismatches { get; init; } = [];

    internal ProofOfWork? Work { get; init; }
}

/// <summary>What <c>proof_of_work_required</c> asks for.</summary>
internal sealed record ProofOfWork(string Challenge, int Difficulty)
{
    private const int MaxLength = 128;

    /// <summary>Null: no challenge of the protocol's, or one that is more work than this device does.</summary>
    public static ProofOfWork? TryRead(string challenge, int difficulty) =>
        challenge.Length is > 0 and <= MaxLength && challenge.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')
        && difficulty is > 0 and <= ProofSolver.MaxDifficulty
            ? new ProofOfWork(challenge, difficulty)
            : null;
}

/// <summary>The device's credentials have ended: it was removed, or its account registered again. Sign up or link anew.</summary>
#pragma warning disable CA1032 // There is one reason alone.
public sealed class SignedOutException() : Exception("The credentials of this device have ended.");
#pragma warning restore CA1032
