using System.Text;

namespace SecureChat.Server.Tests.Push;

/// <summary>
/// Prints what a push service was sent, with what proves the server, and what names the device, cut:
/// <c>dotnet run -c Release --project tests/SecureChat.Server.Tests -- --filter-method "*M8_every_push*" --filter-method "*A_message_carries*"
/// --filter-method "*A_push_is_what*" --show-live-output on</c>
/// </summary>
internal static class PushCapture
{
    private static readonly string[] Secret = ["Authorization", "Crypto-Key"];
    private static readonly string[] OfTheTest = ["Host"];

    public static void WritePush(this ITestOutputHelper output, string provider, ReceivedPush push, params string[] names)
    {
        var text = new StringBuilder($"{provider}, {push.Body.Length} bytes\n{push.Method} {push.Path} {push.Protocol}\n");
        foreach (var (name, value) in push.Headers.Where(header => !OfTheTest.Contains(header.Key)).OrderBy(header => header.Key, StringComparer.Ordinal))
        {
            text.Append(name).Append(": ").Append(Secret.Contains(name) ? $"{value.Split(' ')[0]} ({value.Length} characters)" : value).Append('\n');
        }

        var isText = push.Body.All(one => one is >= 0x20 and < 0x7F);
        text.Append('\n').Append(isText ? Encoding.ASCII.GetString(push.Body) : Convert.ToHexStringLower(push.Body)).Append('\n');
        output.WriteLine(names.Aggregate(text.ToString(), (all, name) => all.Replace(name, "(device)", StringComparison.Ordinal)));
    }
}
