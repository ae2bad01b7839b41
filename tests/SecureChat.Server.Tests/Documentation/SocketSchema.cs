using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf.Reflection;
using NJsonSchema;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;

namespace SecureChat.Server.Tests.Documentation;

/// <summary>The socket as AsyncAPI 3, made from the frames' protobuf descriptors; frames of test runs are held against it.</summary>
internal static class SocketSchema
{
    private static readonly string[] Frames = ["ClientFrame", "ServerFrame"];
    private static readonly Lazy<Dictionary<string, JsonSchema>> Validators = new(LoadValidators);

    /// <summary>The document as it is committed.</summary>
    public static string Document()
    {
        var document = new JsonObject
        {
            ["asyncapi"] = "3.0.0",
            ["info"] = new JsonObject
            {
                ["title"] = "secureChat socket",
                ["version"] = "v1",
                ["description"] = "Prose: docs/protocol/transport.md and messages.md. These are the frames of the subprotocol"
                    + " securechat.v1.json; securechat.v1.proto carries the same messages in protobuf's binary form.",
                ["license"] = new JsonObject { ["name"] = "MIT" },
            },
            ["servers"] = new JsonObject
            {
                ["local"] = new JsonObject { ["host"] = "localhost:8090", ["protocol"] = "ws", ["pathname"] = "/ws" },
            },
            ["channels"] = new JsonObject
            {
                ["socket"] = new JsonObject
                {
                    ["address"] = "/ws",
                    ["messages"] = new JsonObject { ["ClientFrame"] = Ref("messages", "ClientFrame"), ["ServerFrame"] = Ref("messages", "ServerFrame") },
                },
            },
            ["operations"] = new JsonObject { ["fromClient"] = Operation("receive", "ClientFrame"), ["fromServer"] = Operation("send", "ServerFrame") },
            ["components"] = new JsonObject
            {
                ["messages"] = new JsonObject { ["ClientFrame"] = Message("ClientFrame"), ["ServerFrame"] = Message("ServerFrame") },
                ["schemas"] = Schemas(),
            },
        };
        return document.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n";
    }

    /// <summary>What is wrong with a frame; empty: nothing.</summary>
    /// <param name="type"><c>ClientFrame</c> or <c>ServerFrame</c>.</param>
    public static IReadOnlyList<string> Problems(string type, string json) =>
        [.. Validators.Value[type].Validate(json).Select(error => $"{error.Path}: {error.Kind}")];

    private static Dictionary<string, JsonSchema> LoadValidators()
    {
        var definitions = Schemas().ToJsonString().Replace("#/components/schemas/", "#/definitions/", StringComparison.Ordinal);
        return Frames.ToDictionary(name => name, name => JsonSchema.FromJsonAsync(
            $$"""{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{{definitions}},"$ref":"#/definitions/{{name}}"}""")
            .GetAwaiter().GetResult());
    }

    private static JsonObject Ref(string kind, string name) => new() { ["$ref"] = $"#/components/{kind}/{name}" };

    private static JsonObject Message(string name) => new() { ["contentType"] = "application/json", ["payload"] = Ref("schemas", name) };

    private static JsonObject Operation(string action, string message) => new()
    {
        ["action"] = action,
        ["channel"] = new JsonObject { ["$ref"] = "#/channels/socket" },
        ["messages"] = new JsonArray(new JsonObject { ["$ref"] = $"#/channels/socket/messages/{message}" }),
    };

    private static JsonObject Schemas()
    {
        var schemas = new JsonObject();
        foreach (var type in SocketReflection.Descriptor.MessageTypes)
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
