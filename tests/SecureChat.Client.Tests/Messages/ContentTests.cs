using Google.Protobuf;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Messages;

/// <summary>The bytes of a content: docs/protocol/content.md.</summary>
public sealed class ContentTests
{
    private const string Id = "000102030405060708090a0b0c0d0e0f";
    private const string Other = "101112131415161718191a1b1c1d1e1f";

    [Fact]
    public void M14_every_length_is_padded_to_one_of_eight_sizes()
    {
        var sizes = new HashSet<int>();
        for (var length = 0; length < 70_000; length += 61)
        {
            sizes.Add(ContentPadding.Pad(Text(new string('x', length))).Length);
        }

        sizes.Add(ContentPadding.Pad(Text(new string('x', ContentPadding.MaxSize - 30))).Length);
        Assert.Equal(ContentPadding.Sizes.ToArray(), sizes.Order());
        Assert.True(sizes.Count <= 8);
    }

    [Fact]
    public void M14_a_short_text_a_receipt_and_a_typing_notice_have_one_size()
    {
        var contents = new[]
        {
            Text("yes"),
            New(content => content.Typing = new Typing()),
            New(content => content.Receipt = new Receipt { Targets = { ByteString.CopyFrom(Convert.FromHexString(Other)) } }),
        };

        Assert.Single(contents.Select(content => ContentPadding.Pad(content).Length).Distinct());
    }

    [Fact]
    public void A_padded_content_is_read_as_it_was()
    {
        foreach (var length in new[] { 0, 1, 229, 230, 231, 232, 233, 234, 235, 236, 237, 4000, 16_000, 80_000 })
        {
            var content = Text(new string('\0', length));

            Assert.Equal(content, ContentPadding.TryUnpad(ContentPadding.Pad(content)));
        }
    }

    [Fact]
    public void A_content_that_is_too_large_is_refused() =>
        Assert.Throws<ArgumentException>(() => ContentPadding.Pad(Text(new string('x', ContentPadding.MaxSize))));

    [Fact]
    public void What_is_not_padded_or_no_content_is_not_read()
    {
        var good = ContentPadding.Pad(Text("hello"));
        byte[] unpadded = [.. good];
        unpadded[Array.LastIndexOf(unpadded, (byte)0x80)] = 0;
        byte[] broken = [.. good];
        broken[0] = 0xFF;
        var withoutId = Text("hello");
        withoutId.Id = ByteString.Empty;

        Assert.Null(ContentPadding.TryUnpad([]));
        Assert.Null(ContentPadding.TryUnpad(new byte[256]));
        Assert.Null(ContentPadding.TryUnpad([.. good, 0]));
        Assert.Null(ContentPadding.TryUnpad(unpadded));
        Assert.Null(ContentPadding.TryUnpad(broken));
        Assert.Null(ContentPadding.TryUnpad(ContentPadding.Pad(withoutId)));
    }

    [Fact]
    public void Fields_of_a_later_version_survive_the_way_and_being_kept()
    {
        byte[] later = [.. Text("hello").ToByteArray(), .. Convert.FromHexString("fa3f03010203")];

        var received = ContentPadding.TryUnpad(ContentPadding.Pad(Content.Parser.ParseFrom(later)));
        var kept = MessageRecord.Parser.ParseFrom(new MessageRecord { Content = received }.ToByteArray());
        var sentAgain = OutboxRecord.Parser.ParseFrom(new OutboxRecord { Content = kept.Content.Clone() }.ToByteArray());

        Assert.Equal(later, sentAgain.Content.ToByteArray());
    }

    private static Content Text(string body) => New(content => content.Text = new Text { Body = body });

    private static Content New(Action<Content> set)
    {
        var content = new Content { Id = ByteString.CopyFrom(Convert.FromHexString(Id)) };
        set(content);
        return content;
    }
}
