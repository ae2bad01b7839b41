using System.Text.Json;
using SecureChat.Signal.Tests.Sessions;
using SecureChat.Signal.Usernames;

namespace SecureChat.Signal.Tests.Usernames;

/// <summary>What the official client answered once: <c>vectors/usernames/</c>. Needs neither it nor Node.</summary>
public sealed class UsernameVectorTests
{
    [Fact]
    public void Hashes_are_those_that_were_recorded() => Assert.All(Recorded("hashes"), recorded =>
        Assert.Equal(recorded.GetProperty("hash").GetBytesFromBase64(), Username.Parse(recorded.GetProperty("username").GetString()!).Hash()));

    [Fact]
    public void Links_that_were_recorded_lead_to_their_names() => Assert.All(Recorded("links"), recorded =>
    {
        var name = UsernameLink.Open(recorded.GetProperty("entropy").GetBytesFromBase64(), recorded.GetProperty("encrypted").GetBytesFromBase64());

        Assert.Equal(recorded.GetProperty("username").GetString(), name.ToString());
    });

    private static List<JsonElement> Recorded(string list)
    {
        var file = Path.Combine(Transcript.Folder, "..", "usernames", "official-client.json");
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        var recorded = json.RootElement.GetProperty(list).EnumerateArray().Select(one => one.Clone()).ToList();
        Assert.NotEmpty(recorded);
        return recorded;
    }
}
