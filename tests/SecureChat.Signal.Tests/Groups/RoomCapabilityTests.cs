using System.Text.Json;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Tests.Sessions;

namespace SecureChat.Signal.Tests.Groups;

public sealed class RoomCapabilityTests
{
    [Fact]
    public void A_rooms_capability_name_and_key_are_those_of_the_vectors()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Transcript.Folder, "..", "calls", "rooms.json")));
        var tests = json.RootElement.GetProperty("tests").EnumerateArray().ToList();
        Assert.NotEmpty(tests);

        foreach (var test in tests)
        {
            var secret = test.GetProperty("secret").GetBytesFromBase64();
            var capability = RoomCapability.Derive(secret);

            Assert.Equal(test.GetProperty("capability").GetBytesFromBase64(), capability);
            Assert.Equal(test.GetProperty("room").GetBytesFromBase64(), RoomCapability.Room(capability));
            Assert.Equal(test.GetProperty("signalKey").GetBytesFromBase64(), RoomCapability.SignalKey(secret));
        }
    }

    [Theory, InlineData(0), InlineData(31), InlineData(33)]
    public void A_secret_of_another_length_makes_no_capability(int length) =>
        Assert.Throws<ArgumentException>(() => RoomCapability.Derive(new byte[length]));
}
