using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Threading.Channels;

namespace SecureChat.Server.Storage;

/// <summary>Notices from node to node, gathered for a moment: one publish carries many.</summary>
/// <remarks>
/// A route is 12 bytes: the node (8, random at start) and the connection's number (4). The channel of a node is <c>node:</c> and
/// its 8 bytes in hex. A notice is kind (1), number (4), length (4) and that many bytes: an envelope, or the route of the
/// connection that displaced this one. Numbers cross, not identifiers.
/// </remarks>
internal sealed class NodeNotices(IHotStore hot, TimeProvider time, ILogger<NodeNotices> log)
{
    private readonly ulong _node = BinaryPrimitives.ReadUInt64BigEndian(RandomNumberGenerator.GetBytes(8));
    private readonly Lock _gate = new();
    private readonly Channel<bool> _waiting = System.Threading.Channels.Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private Dictionary<ulong, ArrayBufferWriter<byte>> _gathered = [];

    public ReadOnlyMemory<byte> Route(uint number)
    {
        var route = new byte[RouteBytes];
        BinaryPrimitives.WriteUInt64BigEndian(route, _node);
        BinaryPrimitives.WriteUInt32BigEndian(route.AsSpan(8), number);
        return route;
    }

    public bool IsHere(ReadOnlySpan<byte> route) =>
        route.Length == RouteBytes && BinaryPrimitives.ReadUInt64BigEndian(route) == _node;

    public void Mail(ReadOnlySpan<byte> route) => Add(NodeNoticeKind.Mail, route, []);

    public void Live(ReadOnlySpan<byte> route, ReadOnlySpan<byte> envelope) => Add(NodeNoticeKind.Live, route, envelope);

    public void Displace(ReadOnlySpan<byte> route, ReadOnlySpan<byte> by) => Add(NodeNoticeKind.Displaced, route, by);

    /// <summary>Listens for notices to this node.</summary>
    public Task<IAsyncDisposable> SubscribeAsync(Action<NodeNotice> handler, CancellationToken ct) =>
        hot.SubscribeAsync(ChannelOf(_node), packed => Unpack(packed, handler), ct);

    /// <summary>Publishes what gathers, until the token ends it.</summary>
    public async Task PublishAsync(CancellationToken ct)
    {
        while (true)
        {
            await _waiting.Reader.ReadAsync(ct);
            await Task.Delay(Gather, time, ct);
            Dictionary<ulong, ArrayBufferWriter<byte>> gathered;
            lock (_gate)
            {
                (gathered, _gathered) = (_gathered, []);
            }

            foreach (var (node, packed) in gathered)
            {
                try
                {
                    await hot.PublishAsync(ChannelOf(node), packed.WrittenMemory, ct);
                }
                catch (Exception e) when (!ct.IsCancellationRequested)
                {
                    // The mail itself is stored; the sweep of its node finds it.
                    log.NodeNoticeLost(e.GetType().Name);
                }
            }
        }
    }

    private static string ChannelOf(ulong node) => $"{HotKeys.Node}:{node:x16}";

    private static void Unpack(ReadOnlyMemory<byte> packed, Action<NodeNotice> handler)
    {
        while (packed.Length >= HeadBytes)
        {
            var head = packed.Span;
            var length = BinaryPrimitives.ReadInt32BigEndian(head[5..]);
            if (length < 0 || length > packed.Length - HeadBytes)
            {
                return;
            }

            handler(new NodeNotice(
                (NodeNoticeKind)head[0], BinaryPrimitives.ReadUInt32BigEndian(head[1..]), packed.Slice(HeadBytes, length)));
            packed = packed[(HeadBytes + length)..];
        }
    }

    private void Add(NodeNoticeKind kind, ReadOnlySpan<byte> route, ReadOnlySpan<byte> content)
    {
        if (route.Length != RouteBytes)
        {
            return;
        }

        lock (_gate)
        {
            var node = BinaryPrimitives.ReadUInt64BigEndian(route);
            if (!_gathered.TryGetValue(node, out var packed))
            {
                _gathered[node] = packed = new ArrayBufferWriter<byte>();
            }

            var notice = packed.GetSpan(HeadBytes + content.Length);
            notice[0] = (byte)kind;
            route[8..].CopyTo(notice[1..]);
            BinaryPrimitives.WriteInt32BigEndian(notice[5..], content.Length);
            content.CopyTo(notice[HeadBytes..]);
            packed.Advance(HeadBytes + content.Length);
            _waiting.Writer.TryWrite(true);
        }
    }

    private const int RouteBytes = 12;
    private const int HeadBytes = 1 + 4 + 4;
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(1);
}

internal enum NodeNoticeKind : byte
{
    /// <summary>Mail was stored for the connection's device.</summary>
    Mail = 1,

    /// <summary>An envelope that is not stored.</summary>
    Live = 2,

    /// <summary>The device connected elsewhere.</summary>
    Displaced = 3,
}

/// <summary>One notice to one connection of this node.</summary>
internal readonly record struct NodeNotice(NodeNoticeKind Kind, uint Number, ReadOnlyMemory<byte> Content);

internal static partial class NodeNoticesLog
{
    [LoggerMessage(LogLevel.Warning, "A notice to another node was not sent: {Error}")]
    public static partial void NodeNoticeLost(this ILogger log, string error);
}
