using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using NJsonSchema;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;

namespace SecureChat.Server.Tests.Documentation;

/// <summary>The socket as AsyncAPI 3, made from the frames' protobuf descriptors; frames of test runs are held against it.</summary>
internal static class SocketSchema
{
    // Every socket: its name, its path, and the frames that are spoken on it. On the last one only the server speaks.
    private static readonly (string Name, string Path, string? FromClient, string FromServer)[] Sockets =
    [
        ("socket", "/ws", "ClientFrame", "ServerFrame"),
        ("rooms", "/ws/rooms", "RoomClientFrame", "RoomServerFrame"),
        ("provisioning", "/ws/provisioning", null, "ServerFrame"),
    ];

    private static readonly string[] Frames = [.. Sockets.SelectMany(FramesOf).Distinct()];
    private static readonly Lazy<Dictionary<string, JsonSchema>> Validators = new(LoadValidators);

    /// <summary>The document as it is committed.</summary>
    public static string Document()
    {
        var document = new JsonObject
        {
            ["asyncapi"] = "3.0.0",
            ["info"] = new JsonObject
            {
                ["title"] = "secureChat sockets",
                ["version"] = "v1",
                ["description"] = "Prose: docs/protocol/transport.md, messages.md and calls.md. These are the frames of the subprotocols"
                    + " that end in .json; those that end in .proto carry the same messages in protobuf's binary form.",
                ["license"] = new JsonObject { ["name"] = "MIT" },
            },
            ["servers"] = new JsonObject
            {
                ["local"] = new JsonObject { ["host"] = "localhost:8090", ["protocol"] = "ws" },
            },
            ["channels"] = Each(socket => new(socket.Name, new JsonObject
            {
                ["address"] = socket.Path,
                ["messages"] = new JsonObject(FramesOf(socket).Select(name => KeyValuePair.Create<string, JsonNode?>(name, Ref("messages", name)))),
            })),
            ["operations"] = Each(
                socket => socket.FromClient is { } frame ? new(Named("fromClient", socket.Name), Operation("receive", socket.Name, frame)) : null,
                socket => new(Named("fromServer", socket.Name), Operation("send", socket.Name, socket.FromServer))),
            ["components"] = new JsonObject
            {
                ["messages"] = new JsonObject(Frames.Select(name => KeyValuePair.Create<string, JsonNode?>(name, Message(name)))),
                ["schemas"] = Schemas(),
            },
        };
        return document.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n";
    }

    /// <summary>What is wrong with a frame; empty: nothing.</summary>
    /// <param name="type">The name of a frame: <c>ClientFrame</c>, <c>RoomServerFrame</c>, …</param>
    public static IReadOnlyList<string> Problems(string type, string json) =>
        [.. Validators.Value[type].Validate(json).Select(error => $"{error.Path}: {error.Kind}")];

    /// <summary>The same of a frame in its binary form, which says the same in other words.</summary>
    public static IReadOnlyList<string> Problems(IMessage frame) =>
        Problems(frame.Descriptor.Name, JsonFormatter.Default.Format(frame));

    private static Dictionary<string, JsonSchema> LoadValidators()
    {
        var definitions = Schemas().ToJsonString().Replace("#/components/schemas/", "#/definitions/", StringComparison.Ordinal);
        return Frames.ToDictionary(name => name, name => JsonSchema.FromJsonAsync(
            $$"""{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{{definitions}},"$ref":"#/definitions/{{name}}"}""")
            .GetAwaiter().GetResult());
    }

    private static IEnumerable<string> FramesOf((string Name, string Path, string? FromClient, string FromServer) socket) =>
        socket.FromClient is { } fromClient ? [fromClient, socket.FromServer] : [socket.FromServer];

    private static JsonObject Each(
        params Func<(string Name, string Path, string? FromClient, string FromServer), KeyValuePair<string, JsonNode?>?>[] members) =>
        new(Sockets.SelectMany(socket => members.Select(member => member(socket)).OfType<KeyValuePair<string, JsonNode?>>()));

    private static string Named(string operation, string socket) =>
        socket is "socket" ? operation : $"{operation}Of{char.ToUpperInvariant(socket[0])}{socket[1..]}";

    private static JsonObject Ref(string kind, string name) => new() { ["$ref"] = $"#/components/{kind}/{name}" };

    private static JsonObject Message(string name) => new() { ["contentType"] = "application/json", ["payload"] = Ref("schemas", name) };

    private static JsonObject Operation(string action, string socket, string message) => new()
    {
        ["action"] = action,
        ["channel"] = new JsonObject { ["$ref"] = $"#/channels/{socket}" },
        ["messages"] = new JsonArray(new JsonObject { ["$ref"] = $"#/channels/{socket}/messages/{message}" }),
    };

    private static JsonObject Schemas()
    {
        var schemas = new JsonObject();
        foreach (var type in SocketReflection.Descriptor.MessageTypes.Concat(RoomsReflection.Descriptor.MessageTypes))
        {
            var properties = new JsonObject();
            foreach (var field in type.Fields.InFieldNumberOrder())
            {
                properties[field.JsonName] = field.IsRepeated
                    ? new JsonObject { ["type"] = "array", ["items"] = Value(field) }
                    : Value(field);
            }

            schemas[type.Name] = new JsonObject
            {
                ["type"] = "object",
                ["additionalProperties"] = false,
                ["properties"] = properties,
            };
        }

        return schemas;
    }

    // Protobuf's canonical JSON: 64-bit numbers are strings, bytes are base64, members at their default are left out.
    private static JsonObject Value(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Message => Ref("schemas", field.MessageType.Name),
        FieldType.Bool => new() { ["type"] = "boolean" },
        FieldType.UInt32 => new() { ["type"] = "integer", ["minimum"] = 0, ["maximum"] = uint.MaxValue },
        FieldType.UInt64 => new() { ["type"] = "string", ["pattern"] = "^[0-9]{1,20}$" },
        FieldType.String => new() { ["type"] = "string" },
        FieldType.Bytes => new()
        {
            ["type"] = "string",
            ["pattern"] = "^[A-Za-z0-9+/]*={0,2}$",
            ["maxLength"] = (Limits.MaxFrameBytes * 4 / 3) + 4,
        },
        FieldType.Enum => new()
        {
            ["type"] = "string",
            ["enum"] = new JsonArray([.. field.EnumType.Values.Select(value => JsonValue.Create(value.Name))]),
        },
        _ => throw new NotSupportedException($"{field.FullName}: say how {field.FieldType} looks in JSON."),
    };
}
