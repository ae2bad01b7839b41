using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Abuse;
using SecureChat.Server.Connections;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Messages;

/// <summary>The message frames of one connected device.</summary>
internal sealed class SessionMessages(MessageFrames relay, ClientSession session, Delivery delivery) : ISessionFrames
{
    // A client that sends faster than the store commits is slowed down by its own socket.
    private const int MaxUnderWay = 256;

    private readonly SendAllowance _allowance = new(block: 16);
    private int _underWay;

    public ValueTask HandleAsync(int field, ulong request, ReadOnlySpan<byte> body)
    {
        if (field == ClientFrame.AckFieldNumber)
        {
            return HandleAck(request, body);
        }

        var (message, refusal) = Outgoing.Read(session.Caller, body, relay.Postmark);
        if (message is null)
        {
            session.Refuse(request, refusal!);
            return ValueTask.CompletedTask;
        }

        // A frame has no place for a proof: the same message is sent over HTTP with one.
        var verdict = relay.Relay.Judge(session.Caller, message);
        if (verdict.Grade is Grade.Prove or Grade.Refuse)
        {
            var isRefused = verdict.Grade is Grade.Refuse;
            session.Refuse(
                request, isRefused ? ProtocolError.RateLimited : ProtocolError.ProofOfWorkRequired, isRefused ? verdict.Lasting : TimeSpan.Zero);
            return ValueTask.CompletedTask;
        }

        return SendAsync(request, message);
    }

    /// <summary>Where this device's mail arrives.</summary>
    public IMailListener Listener => delivery;

    public void Tick() => delivery.Tick();

    public void Writable() => delivery.Resume();

    public ValueTask CloseAsync() => delivery.CloseAsync();

    private ValueTask HandleAck(ulong request, ReadOnlySpan<byte> body)
    {
        var positions = new List<long>();
        var reader = new ProtoReader(body);
        while (reader.Next())
        {
            if (reader.Field != Ack.PositionsFieldNumber)
            {
                continue;
            }

            if (!reader.IsBytes)
            {
                positions.Add((long)reader.Number);
                continue;
            }

            // Packed, as protobuf writes repeated numbers since proto3.
            var packed = new ProtoReader(reader.Bytes);
            while (!packed.IsAtEnd && positions.Count <= Limits.MaxAckBatch && packed.TryVarint(out var position))
            {
                positions.Add((long)position);
            }

            if (packed.IsMalformed)
            {
                session.Close(CloseCode.InvalidData);
                return ValueTask.CompletedTask;
            }
        }

        if (reader.IsMalformed)
        {
            session.Close(CloseCode.InvalidData);
            return ValueTask.CompletedTask;
        }

        if (positions.Count is 0 or > Limits.MaxAckBatch)
        {
            session.Refuse(request, ProtocolError.Malformed);
            return ValueTask.CompletedTask;
        }

        return new ValueTask(delivery.AckAsync(positions, request));
    }

    private async ValueTask SendAsync(ulong request, Outgoing message)
    {
        Submission submission;
        try
        {
            submission = await relay.Relay.SubmitAsync(session.Caller, message, _allowance, CancellationToken.None);
        }
        catch (Exception e)
        {
            relay.Log.SendFailed(e.GetType().Name);
            session.Refuse(request, ProtocolError.Unavailable, TimeSpan.FromSeconds(5));
            return;
        }

        if (submission.Refusal is { } refusal)
        {
            var problem = ServerFrames.Problem(refusal, submission.RetryAfter);
            problem.Mismatches.AddRange((submission.Mismatches ?? []).Select(ToFrame));
            session.Write(new ServerFrame { Request = request, Problem = problem });
            return;
        }

        var underWay = Interlocked.Increment(ref _underWay);
        var answered = AnswerAsync(request, submission.Stored);
        if (underWay > MaxUnderWay)
        {
            await answered;
        }
    }

    private static DeviceMismatch ToFrame(Protocol.Messages.RecipientMismatch mismatch)
    {
        var frame = new DeviceMismatch
        {
            Account = Google.Protobuf.ByteString.CopyFrom(mismatch.Account.ToByteArray(bigEndian: true)),
        };
        frame.Missing.AddRange(mismatch.Missing.Select(device => (uint)device));
        frame.Extra.AddRange(mismatch.Extra.Select(device => (uint)device));
        frame.Stale.AddRange(mismatch.Stale.Select(device => (uint)device));
        return frame;
    }

    private async Task AnswerAsync(ulong request, Task<bool> stored)
    {
        try
        {
            if (await stored)
            {
                ServerFrames.Accepted(session, request);
            }
            else
            {
                session.Refuse(request, ProtocolError.QueueFull);
            }
        }
        catch (Exception e)
        {
            relay.Log.SendFailed(e.GetType().Name);
            session.Refuse(request, ProtocolError.Unavailable, TimeSpan.FromSeconds(5));
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }
}
