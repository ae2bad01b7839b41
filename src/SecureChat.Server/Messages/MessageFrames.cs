using SecureChat.Protocol.Proto;
using SecureChat.Server.Abuse;
using SecureChat.Server.Connections;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Messages;

/// <summary>The relay's frames on the socket: send and ack. Spec: docs/protocol/messages.md.</summary>
internal sealed class MessageFrames(
    Relay relay, Mailbox mailbox, IMessageQueue queue, Postmark postmark, MessageMetrics metrics, TimeProvider time,
    ILogger<MessageFrames> log)
    : IFrameHandler
{
    public IReadOnlyDictionary<int, RateLimit> Fields { get; } = new Dictionary<int, RateLimit>
    {
        [ClientFrame.SendFieldNumber] = RateLimits.SendMessages,
        [ClientFrame.AckFieldNumber] = RateLimits.SocketFrames,
    };

    public Relay Relay => relay;

    public Mailbox Mailbox => mailbox;

    public IMessageQueue Queue => queue;

    public Postmark Postmark => postmark;

    public MessageMetrics Metrics => metrics;

    public TimeProvider Time => time;

    public ILogger Log => log;

    public async Task<ISessionFrames> OpenAsync(ClientSession session, CancellationToken ct)
    {
        var delivery = new Delivery(this, session);
        await delivery.AttachAsync(ct);
        return new SessionMessages(this, session, delivery);
    }
}
