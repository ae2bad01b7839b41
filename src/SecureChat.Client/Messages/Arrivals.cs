using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Messages;

/// <summary>The order in which the contents of one sending device are shown. Spec: docs/protocol/content.md#confirmation.</summary>
internal static class Arrivals
{
    /// <summary>Contents kept back for one that is missing; with one more all are shown.</summary>
    private const int MaxHeld = 500;

    /// <summary>Takes in a content that came for the first time; answers what is shown now, in order.</summary>
    public static IReadOnlyList<Content> TakeIn(StreamRecord stream, Content content, uint device, DateTimeOffset now)
    {
        var order = content.Order;
        List<Content> shown = [];
        if (stream.Stream != order.Stream)
        {
            shown.AddRange(ReleaseAll(stream));
            (stream.Stream, stream.Next) = (order.Stream, 1);
        }

        var floor = Math.Min(order.OldestKept, order.Sequence);
        if (order.Sequence < stream.Next)
        {
            // It was not waited for any longer.
            return [.. shown, content];
        }

        stream.Held.Add(new HeldContent { Sequence = order.Sequence, ReceivedAt = now.Milliseconds(), Content = content, Device = device });
        Sort(stream.Held);
        while (stream.Held.Count > 0 && stream.Held[0].Sequence <= Math.Max(stream.Next, floor))
        {
            shown.Add(Take(stream));
        }

        stream.Next = Math.Max(stream.Next, floor);
        return stream.Held.Count > MaxHeld ? [.. shown, .. ReleaseAll(stream)] : shown;
    }

    /// <summary>What was kept back for so long that it is shown without those before it.</summary>
    public static IReadOnlyList<Content> ReleaseOverdue(StreamRecord stream, DateTimeOffset now, TimeSpan patience) =>
        DueAt(stream, patience) is { } due && due <= now ? ReleaseAll(stream) : [];

    /// <summary>When the patience with what is missing ends; null: nothing is kept back.</summary>
    public static DateTimeOffset? DueAt(StreamRecord stream, TimeSpan patience) =>
        stream.Held.Count == 0 ? null : stream.Held.Min(held => held.ReceivedAt).ToTime() + patience;

    private static List<Content> ReleaseAll(StreamRecord stream)
    {
        List<Content> shown = [];
        while (stream.Held.Count > 0)
        {
            shown.Add(Take(stream));
        }

        return shown;
    }

    private static Content Take(StreamRecord stream)
    {
        var first = stream.Held[0];
        stream.Held.RemoveAt(0);

        // Whoever counts to the end has nothing to follow: the last number stays the next one.
        stream.Next = Math.Max(stream.Next, first.Sequence < ulong.MaxValue ? first.Sequence + 1 : first.Sequence);
        return first.Content;
    }

    private static void Sort(Google.Protobuf.Collections.RepeatedField<HeldContent> held)
    {
        var sorted = held.OrderBy(one => one.Sequence).ToList();
        held.Clear();
        held.AddRange(sorted);
    }
}
