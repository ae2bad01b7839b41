using Google.Protobuf;
using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Abuse;
using SecureChat.Signal;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Server.Messages;

/// <summary>Sending without a name, on connections without credentials. Spec: docs/protocol/sealed-sender.md#sending.</summary>
internal static class SealedEndpoints
{
    public static void MapSealed(this IEndpointRouteBuilder app)
    {
        var sealedOnes = app.MapGroup("/v1/sealed").WithTags("Sealed").WithRetryAfter().AllowAnonymous();
        sealedOnes.MapPost("/messages", Send).CountFailures().RequireLimit(RateLimits.PostSealed).RefuseCredentials();
        sealedOnes.MapPost("/many", SendMany).CountFailures().RequireLimit(RateLimits.PostSealed).RefuseCredentials()
            .Accepts<byte[]>("application/x-protobuf");
    }

    /// <summary><c>POST /v1/sealed/messages</c>: one sealed message to all devices of one account.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Send(
        SealedMessage body, HttpContext context, SealedRelay relay, Postmark mark, CancellationToken ct)
    {
        var (message, refusal) = Outgoing.Read(body, mark);
        return message is null || body.Right is { Length: > 64 }
            ? Problem.From(refusal ?? ProtocolError.Malformed)
            : await SubmitAsync(relay, message, [body.Right], context, ct);
    }

    /// <summary><c>POST /v1/sealed/many</c>: one sealed message for many accounts, as a serialised <c>SealedMany</c>.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> SendMany(
        HttpContext context, SealedRelay relay, Postmark mark, CancellationToken ct)
    {
        if (context.Request.ContentType is not "application/x-protobuf")
        {
            return Problem.From(ProtocolError.UnsupportedMediaType);
        }

        if (await RequestBody.ReadAsync(context.Request, Limits.MaxSealedManyBytes, ct) is not { } body)
        {
            return Problem.From(ProtocolError.TooLarge);
        }

        SealedMany many;
        MultiRecipientMessage parts;
        try
        {
            many = SealedMany.Parser.ParseFrom(body);
            parts = MultiRecipientMessage.Parse(many.Message.Span);
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or SignalException)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        var (message, refusal) = Outgoing.Read(many, parts, mark);
        return message is null || many.Rights.Count != parts.Recipients.Count || many.Rights.Any(right => right.Length > 64)
            ? Problem.From(refusal ?? ProtocolError.Malformed)
            : await SubmitAsync(relay, message, [.. many.Rights.Select(right => right.Memory)], context, ct);
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> SubmitAsync(
        SealedRelay relay, Outgoing message, IReadOnlyList<ReadOnlyMemory<byte>> rights, HttpContext context, CancellationToken ct)
    {
        var submission = await relay.SubmitAsync(
            message, rights, RateLimiter.Network(context.Connection.RemoteIpAddress), ct);
        return await submission.AnswerAsync();
    }
}
