using CsCheck;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Messages;

/// <summary>The order in which contents are shown.</summary>
public sealed class ArrivalsTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Patience = TimeSpan.FromHours(2);

    [Fact]
    public void Contents_in_order_are_shown_as_they_come()
    {
        var stream = new StreamRecord { Stream = 7, Next = 1 };

        Assert.Equal([1], Show(stream, 1));
        Assert.Equal([2], Show(stream, 2));
        Assert.Null(Arrivals.DueAt(stream, Patience));
    }

    [Fact]
    public void Whatever_the_order_of_arrival_all_are_shown_once_and_in_order()
    {
        Gen.Shuffle(Enumerable.Range(1, 12).ToArray()).Sample(arrivals =>
        {
            var stream = new StreamRecord { Stream = 7, Next = 1 };
            var shown = arrivals.SelectMany(sequence => Show(stream, (ulong)sequence)).ToList();
            Assert.Equal(Enumerable.Range(1, 12).Select(i => (ulong)i), shown);
        });
    }

    [Fact]
    public void What_the_sender_has_given_up_is_not_waited_for()
    {
        var stream = new StreamRecord { Stream = 7, Next = 1 };

        Assert.Empty(Show(stream, 4));
        Assert.Equal([4, 5], Show(stream, 5, oldestKept: 4));
        Assert.Equal([6], Show(stream, 6));
    }

    [Fact]
    public void A_recipient_who_comes_in_later_begins_with_what_is_still_kept()
    {
        var stream = new StreamRecord { Stream = 7, Next = 1 };

        Assert.Equal([900], Show(stream, 900, oldestKept: 900));
    }

    [Fact]
    public void After_the_patience_what_was_kept_back_is_shown_and_the_late_one_too()
    {
        var stream = new StreamRecord { Stream = 7, Next = 1 };
        Assert.Empty(Show(stream, 2));

        Assert.Equal(Now + Patience, Arrivals.DueAt(stream, Patience));
        Assert.Empty(Arrivals.ReleaseOverdue(stream, Now + Patience - TimeSpan.FromSeconds(1), Patience));
        Assert.Equal([2], Arrivals.ReleaseOverdue(stream, Now + Patience, Patience).Select(content => content.Order.Sequence));
        Assert.Equal([1], Show(stream, 1));
        Assert.Equal([3], Show(stream, 3));
    }

    [Fact]
    public void A_device_that_was_set_up_anew_begins_a_new_order()
    {
        var stream = new StreamRecord { Stream = 7, Next = 1 };
        Show(stream, 1);
        Assert.Empty(Show(stream, 3));

        var shown = Arrivals.TakeIn(stream, New(1, 1, stream: 8), 1, Now);

        Assert.Equal([(7ul, 3ul), (8ul, 1ul)], shown.Select(content => (content.Order.Stream, content.Order.Sequence)));
    }

    [Fact]
    public void Nobody_can_make_a_device_keep_back_without_bound()
    {
        var stream = new StreamRecord { Stream = 7, Next = 1 };
        var shown = new List<ulong>();
        for (ulong i = 2; i < 2000; i++)
        {
            shown.AddRange(Show(stream, i));
            Assert.True(stream.Held.Count <= 500);
        }

        Assert.Equal(shown.Order(), shown);
    }

    private static IEnumerable<ulong> Show(StreamRecord stream, ulong sequence, ulong oldestKept = 1) =>
        [.. Arrivals.TakeIn(stream, New(sequence, oldestKept), 1, Now).Select(content => content.Order.Sequence)];

    private static Content New(ulong sequence, ulong oldestKept, ulong stream = 7) =>
        new() { Order = new Order { Stream = stream, Sequence = sequence, OldestKept = oldestKept } };
}
