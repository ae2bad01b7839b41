using Google.Protobuf;
using SecureChat.Protocol.Proto;

namespace SecureChat.Server.Connections;

/// <summary>The subprotocols that end in <c>.json</c>: the same frames in protobuf's canonical JSON.</summary>
internal static class FrameJson
{
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true).WithRecursionLimit(16));
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default);

    /// <summary>Null when it is no frame in JSON.</summary>
    public static byte[]? ToBinary(ReadOnlySpan<byte> json) => Parse<ClientFrame>(json)?.ToByteArray();

    /// <summary>Null when it is no such frame in JSON.</summary>
    public static T? Parse<T>(ReadOnlySpan<byte> json)
        where T : class, IMessage, new()
    {
        try
        {
            return Parser.Parse<T>(System.Text.Encoding.UTF8.GetString(json));
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidJsonException or FormatException or OverflowException)
        {
            return null;
        }
    }

    public static byte[] FromBinary(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail) =>
        Format(ServerFrame.Parser.ParseFrom((byte[])[.. head, .. tail]));

    public static byte[] Format(IMessage frame) => System.Text.Encoding.UTF8.GetBytes(Formatter.Format(frame));
}
