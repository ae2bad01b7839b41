using System.Text.Json;
using System.Text.Json.Nodes;

#pragma warning disable RS0030 // What the server says is the same in every run.

namespace SecureChat.Client.Tests.Support;

/// <summary>Answers with one thing in them changed, most of the time: a number, a text, a list, or what makes it JSON at all.</summary>
internal sealed class Lies(int seed)
{
    private readonly Random _random = new(seed);

    public int Told { get; private set; }

    public byte[] Alter(HttpRequestMessage request, byte[] body)
    {
        lock (_random)
        {
            // Tokens that are gone are gone for good.
            if (body.Length == 0 || request.RequestUri!.AbsolutePath.StartsWith("/v1/auth", StringComparison.Ordinal) || _random.Next(4) == 0)
            {
                return body;
            }

            Told++;
            return _random.Next(8) switch
            {
                0 => body[..(body.Length / 2)],
                1 => "<html>Bad gateway</html>"u8.ToArray(),
                2 => "null"u8.ToArray(),
                _ => Changed(JsonNode.Parse(body)!),
            };
        }
    }

    private byte[] Changed(JsonNode root)
    {
        var places = Places(root).ToList();
        if (places.Count == 0)
        {
            return "[]"u8.ToArray();
        }

        var (parent, name, index) = places[_random.Next(places.Count)];
        var other = Other(name is null ? parent[index] : parent[name]);
        if (name is null)
        {
            parent[index] = other;
        }
        else if (_random.Next(6) == 0)
        {
            parent.AsObject().Remove(name);
        }
        else
        {
            parent[name] = other;
        }

        return JsonSerializer.SerializeToUtf8Bytes(root);
    }

    private JsonNode? Other(JsonNode? was) => _random.Next(7) switch
    {
        0 => null,
        1 => JsonValue.Create(new[] { -1L, 0, 1, 127, 128, int.MaxValue, int.MinValue, long.MaxValue, long.MinValue }[_random.Next(9)]),
        2 => JsonValue.Create(0.5),
        3 => new JsonArray(null, null),
        4 => new JsonArray(),
        _ when was is JsonArray list => new JsonArray([.. list.Concat(list).Select(element => element?.DeepClone())]),
        _ when was?.GetValueKind() == JsonValueKind.String => JsonValue.Create(Text(was.GetValue<string>())),
        _ => JsonValue.Create(""),
    };

    private string Text(string was)
    {
        var bytes = new byte[was.Length];
        if (!Convert.TryFromBase64String(was, bytes, out var length) || length == 0)
        {
            return new string('x', _random.Next(300));
        }

        bytes[_random.Next(length)] ^= (byte)(1 << _random.Next(8));
        return Convert.ToBase64String(bytes, 0, _random.Next(3) == 0 ? _random.Next(length) : length);
    }

    private static IEnumerable<(JsonNode Parent, string? Name, int Index)> Places(JsonNode? node) => node switch
    {
        JsonObject parent => parent.SelectMany(member => Places(member.Value).Prepend((parent, member.Key, 0))),
        JsonArray parent => Enumerable.Range(0, parent.Count).SelectMany(i => Places(parent[i]).Prepend((parent, null, i))),
        _ => [],
    };
}
