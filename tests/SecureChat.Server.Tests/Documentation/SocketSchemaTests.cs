using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Tests.Architecture;

namespace SecureChat.Server.Tests.Documentation;

public sealed class SocketSchemaTests
{
    [Fact]
    public void The_committed_AsyncAPI_document_is_the_one_that_the_frames_give()
    {
        var file = Path.Combine(Sources.Root, "docs/asyncapi.json");
        if (Environment.GetEnvironmentVariable("CHAT_TEST_WRITE_DOCS") == "1")
        {
            File.WriteAllText(file, SocketSchema.Document());
        }

        Assert.Equal(SocketSchema.Document(), File.ReadAllText(file));
    }

    [Fact]
    public void A_binary_frame_is_held_against_the_description_too()
    {
        var frame = new ServerFrame { Deliver = new Deliver { Position = ulong.MaxValue, Envelope = new Envelope { Id = ByteString.CopyFrom(1, 2, 3) } } };

        Assert.Empty(SocketSchema.Problems(frame));
        frame.Deliver.Envelope.Type = (ContentType)99;
        Assert.NotEmpty(SocketSchema.Problems(frame));
    }

    [Theory]
    [InlineData("""{"request":"1","ping":{}}""", true)]
    [InlineData("""{"request":"1","send":{"id":"AAAAAAAAAAAAAAAAAAAAAA==","timestamp":"5","recipients":[]}}""", true)]
    [InlineData("""{"request":1,"ping":{}}""", false)]
    [InlineData("""{"request":"1","dance":{}}""", false)]
    [InlineData("""{"ack":{"positions":"1"}}""", false)]
    [InlineData("""{"send":{"id":"not base64"}}""", false)]
    public void Frames_are_told_from_what_is_none(string json, bool isFrame) =>
        Assert.Equal(isFrame, SocketSchema.Problems("ClientFrame", json).Count == 0);
}
