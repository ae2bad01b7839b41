using System.Security.Cryptography;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Tests;

namespace SecureChat.Client.Tests.Messages;

/// <summary>
/// <c>vectors/content/</c>, by our own code and by the peer's, which knows content.proto and docs/protocol/content.md and nothing of ours.
/// </summary>
public sealed class ContentVectorTests(LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Contents_are_made_and_read_as_the_vectors_have_them() => Assert.All(Vectors("contents"), vector =>
    {
        var content = ContentOf(vector);

        Assert.Equal(PaddedOf(vector), ContentPadding.Pad(content));
        Assert.Equal(content, ContentPadding.TryUnpad(PaddedOf(vector)));
    });

    [Fact]
    public async Task The_peer_makes_and_reads_the_same_contents()
    {
        foreach (var vector in Vectors("contents"))
        {
            var made = await peer.CallAsync("encodeContent", new { content = vector.GetProperty("content") }, Ct);
            var read = await peer.CallAsync("decodeContent", new { padded = PaddedOf(vector) }, Ct);

            Assert.Equal(PaddedOf(vector), made.Bytes("padded"));
            Assert.Equal(ContentOf(vector), ContentOf(read));
        }
    }

    [Fact]
    public async Task What_a_later_version_adds_is_kept_by_both_byte_for_byte()
    {
        foreach (var vector in Vectors("later"))
        {
            var ours = ContentPadding.TryUnpad(PaddedOf(vector))!;
            var theirs = await peer.CallAsync("decodeContent", new { padded = PaddedOf(vector) }, Ct);

            Assert.Equal(PaddedOf(vector), ContentPadding.Pad(ours));
            Assert.Equal(PaddedOf(vector), theirs.Bytes("again"));
            Assert.Equal(ContentOf(vector), Content.Parser.WithDiscardUnknownFields(true).ParseFrom(ours.ToByteArray()));
            Assert.Equal(ContentOf(vector), ContentOf(theirs));
        }
    }

    [Fact]
    public async Task What_is_not_to_be_read_neither_reads()
    {
        foreach (var vector in Vectors("refused"))
        {
            var theirs = await peer.CallAsync("decodeContent", new { padded = PaddedOf(vector) }, Ct);

            Assert.Null(ContentPadding.TryUnpad(PaddedOf(vector)));
            Assert.False(theirs.TryGetProperty("content", out _), vector.GetProperty("name").GetString());
        }
    }

    [Fact]
    public async Task Both_choose_the_same_of_the_eight_sizes_at_each_of_their_ends()
    {
        var padding = Read().GetProperty("padding");
        foreach (var vector in padding.GetProperty("sizes").EnumerateArray())
        {
            var content = Filled(padding, vector);
            var theirs = await peer.CallAsync("encodeContent", new { content = Json(content) }, Ct);
            var ours = ContentPadding.Pad(content);

            Assert.Equal(vector.GetProperty("length").GetInt32(), content.CalculateSize());
            Assert.Equal(vector.GetProperty("size").GetInt32(), ours.Length);
            Assert.Equal(vector.GetProperty("sha256").GetBytesFromBase64(), SHA256.HashData(ours));
            Assert.Equal(ours, theirs.Bytes("padded"));
            Assert.Equal(content, ContentPadding.TryUnpad(ours));
        }

        Assert.Equal(ContentPadding.Sizes.ToArray(), padding.GetProperty("sizes").EnumerateArray().Select(vector => vector.GetProperty("size").GetInt32()).Distinct());
        var tooLarge = Filled(padding, padding.GetProperty("tooLarge"));
        Assert.Throws<ArgumentException>(() => ContentPadding.Pad(tooLarge));
        await Assert.ThrowsAsync<LibsignalPeerException>(() => peer.CallAsync("encodeContent", new { content = Json(tooLarge) }, Ct));
    }

    [Fact]
    public void The_vectors_have_every_field_of_every_message_that_a_content_can_hold()
    {
        var missing = new HashSet<string>();
        Collect(Content.Descriptor, missing);

        foreach (var vector in Vectors("contents"))
        {
            CrossOut(ContentOf(vector), missing);
        }

        Assert.Empty(missing);
    }

    private static void Collect(MessageDescriptor message, HashSet<string> fields)
    {
        foreach (var field in message.Fields.InDeclarationOrder())
        {
            if (fields.Add(field.FullName) && field.FieldType == FieldType.Message)
            {
                Collect(field.MessageType, fields);
            }
        }
    }

    private static void CrossOut(IMessage message, HashSet<string> fields)
    {
        foreach (var field in message.Descriptor.Fields.InDeclarationOrder())
        {
            var value = field.Accessor.GetValue(message);
            var isThere = field switch
            {
                { IsRepeated: true } => ((System.Collections.ICollection)value).Count > 0,
                { HasPresence: true } => field.Accessor.HasValue(message),
                _ => !value.Equals(field.FieldType switch
                {
                    FieldType.Bytes => ByteString.Empty,
                    FieldType.String => "",
                    _ => Activator.CreateInstance(value.GetType()),
                }),
            };
            if (isThere)
            {
                fields.Remove(field.FullName);
                foreach (var inner in field.IsRepeated ? ((System.Collections.IEnumerable)value).OfType<IMessage>() : value is IMessage one ? [one] : [])
                {
                    CrossOut(inner, fields);
                }
            }
        }
    }

    private static Content Filled(JsonElement padding, JsonElement vector) => new()
    {
        Id = ByteString.FromBase64(padding.GetProperty("id").GetString()),
        SenderKey = ByteString.CopyFrom(new byte[vector.GetProperty("zeros").GetInt32()]),
    };

    private static List<JsonElement> Vectors(string list)
    {
        var vectors = Read().GetProperty(list).EnumerateArray().ToList();
        Assert.NotEmpty(vectors);
        return vectors;
    }

    private static JsonElement Read()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "SecureChat.slnx")))
        {
            folder = folder.Parent!;
        }

        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.FullName, "vectors", "content", "contents.json")));
        return json.RootElement.Clone();
    }

    private static byte[] PaddedOf(JsonElement vector) => vector.GetProperty("padded").GetBytesFromBase64();

    private static Content ContentOf(JsonElement vector) => JsonParser.Default.Parse<Content>(vector.GetProperty("content").GetRawText());

    private static JsonElement Json(Content content)
    {
        using var json = JsonDocument.Parse(JsonFormatter.Default.Format(content));
        return json.RootElement.Clone();
    }
}
