using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Messages;

/// <summary>Sending and receiving without a socket. Spec: docs/protocol/messages.md.</summary>
internal static class MessagesEndpoints
{
    public static void MapMessages(this IEndpointRouteBuilder app)
    {
        var messages = app.MapGroup("/v1/messages").WithTags("Messages").WithRetryAfter().RequireAuthorization();
        messages.MapPost("/", Send).RequireLimit(RateLimits.PostMessages);
        messages.MapGet("/", Receive).RequireLimit(RateLimits.ReceiveMessages);
        messages.MapPost("/ack", Acknowledge).RequireLimit(RateLimits.ReceiveMessages);
        app.MapSealed();
    }

    /// <summary><c>POST /v1/messages</c>: one message to all devices of each recipient.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Send(
        SendMessage body, HttpContext context, Caller caller, Relay relay, Doorkeeper doorkeeper, Postmark mark, CancellationToken ct)
    {
        var (message, refusal) = Outgoing.Read(caller, body, mark);
        if (message is null)
        {
            return Problem.From(refusal!);
        }

        if (message.OpensSessions
            && await doorkeeper.AdmitAsync(context, Detectors.FanOut, caller.Account.ToByteArray(bigEndian: true), ct) is { } unwelcome)
        {
            return unwelcome;
        }

        var submission = await relay.SubmitAsync(caller, message, new SendAllowance(block: 0), ct);
        return await submission.AnswerAsync();
    }

    /// <summary><c>GET /v1/messages?wait=…</c>: the oldest messages, after at most so many seconds.</summary>
    private static async Task<Results<Ok<ReceivedMessages>, ProblemHttpResult>> Receive(
        Caller caller, Mailbox mailbox, IMessageQueue queue, TimeProvider time, CancellationToken ct, int wait = 0)
    {
        if (wait is < 0 or > MaxWait)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        var listener = new PollListener();
        var attachment = await mailbox.AttachAsync(caller.Address, listener, ct);
        try
        {
            var page = await queue.ReadAsync(caller.Address, 0, PageSize, ct);
            if (page.Count == 0 && await listener.WaitAsync(TimeSpan.FromSeconds(wait), time, ct))
            {
                page = await queue.ReadAsync(caller.Address, 0, PageSize, ct);
            }

            return TypedResults.Ok(new ReceivedMessages([.. page.Select(ToMessage)]));
        }
        finally
        {
            await mailbox.DetachAsync(attachment, CancellationToken.None);
        }
    }

    /// <summary><c>POST /v1/messages/ack</c>: deletes messages that the device has kept.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Acknowledge(
        AckMessages body, Caller caller, IMessageQueue queue, CancellationToken ct)
    {
        if (body.Positions.Count is 0 or > Limits.MaxAckBatch)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        await queue.AckAsync(caller.Address, body.Positions, ct);
        await queue.WrittenAsync(ct);
        return TypedResults.NoContent();
    }

    private static ReceivedMessage ToMessage(StoredMail mail)
    {
        var envelope = Envelope.Parser.ParseFrom(mail.Envelope.Span);
        var isSealed = envelope.SenderAccount.IsEmpty;
        return new ReceivedMessage(
            mail.Position,
            new Guid(envelope.Id.Span, bigEndian: true),
            (int)envelope.Type,
            (long)envelope.Timestamp,
            (long)envelope.ServerTime,
            envelope.Urgent,
            envelope.Content.ToByteArray(),
            isSealed ? null : new Guid(envelope.SenderAccount.Span, bigEndian: true),
            isSealed ? null : (int)envelope.SenderDevice,
            envelope.ReportToken.IsEmpty ? null : envelope.ReportToken.ToByteArray());
    }

    private const int MaxWait = 60;

    // Each may have 96 KiB; a phone on a bad line gets what fits in one answer.
    private const int PageSize = 32;

    /// <summary>Wakes a waiting request.</summary>
    private sealed class PollListener : IMailListener
    {
        private readonly TaskCompletionSource _woken = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task<bool> WaitAsync(TimeSpan wait, TimeProvider time, CancellationToken ct)
        {
            try
            {
                await _woken.Task.WaitAsync(wait, time, ct);
                return true;
            }
            catch (TimeoutException)
            {
                return false;
            }
        }

        public bool OnMail(long position, long previous, ReadOnlyMemory<byte> envelope)
        {
            _woken.TrySetResult();
            return false;
        }

        public void OnWaiting() => _woken.TrySetResult();

        public void OnLive(ReadOnlyMemory<byte> envelope)
        {
            // A poll has no place for what is not stored.
        }

        public void OnDisplaced() => _woken.TrySetResult();
    }
}
