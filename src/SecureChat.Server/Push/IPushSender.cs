using System.Net;

namespace SecureChat.Server.Push;

/// <summary>Speaks to one push service, or to one family of them.</summary>
internal interface IPushSender
{
    /// <summary>Whether it has what it needs to send to targets of that kind.</summary>
    bool Serves(PushKind kind);

    /// <summary>Sends the one constant message. May throw what <see cref="HttpClient"/> throws.</summary>
    Task<PushOutcome> SendAsync(PushTarget target, CancellationToken ct);
}

/// <summary>What a push service made of a message.</summary>
/// <param name="Wait">With <see cref="PushResult.Later"/>: how long the service asks to be left alone, if it said.</param>
/// <param name="Status">With <see cref="PushResult.Refused"/>: the HTTP status, or 0 when the endpoint was not contacted.</param>
internal readonly record struct PushOutcome(PushResult Result, TimeSpan? Wait = null, int Status = 0)
{
    public static readonly PushOutcome Sent = new(PushResult.Sent);

    public static readonly PushOutcome Gone = new(PushResult.Gone);

    /// <summary>The outcome that a status means by itself.</summary>
    public static PushOutcome From(HttpResponseMessage response, TimeProvider time) => response.StatusCode switch
    {
        >= HttpStatusCode.OK and < HttpStatusCode.MultipleChoices => Sent,
        HttpStatusCode.NotFound or HttpStatusCode.Gone => Gone,
        HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError =>
            new(PushResult.Later, RetryAfter(response, time)),
        _ => new(PushResult.Refused, Status: (int)response.StatusCode),
    };

    private static TimeSpan? RetryAfter(HttpResponseMessage response, TimeProvider time) =>
        response.Headers.RetryAfter is { } header ? header.Delta ?? (header.Date - time.GetUtcNow()) : null;
}

internal enum PushResult
{
    Sent,

    /// <summary>The target is dead and must be forgotten.</summary>
    Gone,

    /// <summary>To be tried again.</summary>
    Later,

    /// <summary>Trying again would not help; the target may still be good.</summary>
    Refused,
}
