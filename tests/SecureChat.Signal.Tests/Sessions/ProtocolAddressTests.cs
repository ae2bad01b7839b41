using SecureChat.Signal.Addresses;

namespace SecureChat.Signal.Tests.Sessions;

public sealed class ProtocolAddressTests
{
    private static readonly Guid Uuid = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");

    [Theory]
    [InlineData("alice", 1, true)]
    [InlineData("alice", 127, true)]
    [InlineData("alice", 0, false)]
    [InlineData("alice", 128, false)]
    [InlineData("alice", -1, false)]
    [InlineData("", 1, false)]
    public void An_address_has_a_name_and_a_device_from_1_to_127(string name, int device, bool valid) =>
        Assert.Equal(valid, new ProtocolAddress(name, device).IsValid);

    [Fact]
    public void An_address_without_a_name_at_all_is_not_valid() => Assert.False(default(ProtocolAddress).IsValid);

    [Theory]
    [InlineData(ServiceIdKind.Account, "00112233-4455-6677-8899-aabbccddeeff", "00")]
    [InlineData(ServiceIdKind.PhoneNumber, "PNI:00112233-4455-6677-8899-aabbccddeeff", "01")]
    public void An_id_is_written_and_read_as_text_and_as_17_bytes_in_network_order(ServiceIdKind kind, string text, string first)
    {
        var id = new ServiceId(kind, Uuid);

        Assert.Equal(text, id.ToString());
        Assert.Equal(first + "00112233445566778899aabbccddeeff", Convert.ToHexStringLower(id.ToBinary()));
        Assert.True(ServiceId.TryParse(text, out var fromText));
        Assert.True(ServiceId.TryParse(id.ToBinary(), out var fromBinary));
        Assert.Equal((id, id), (fromText, fromBinary));
        Assert.Equal(text, new ProtocolAddress(id, 1).Name);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0200112233445566778899aabbccddeeff")]
    [InlineData("0000112233445566778899aabbccddee")]
    [InlineData("0000112233445566778899aabbccddeeff00")]
    public void Bytes_of_another_size_or_kind_are_no_id(string hex)
    {
        Assert.False(ServiceId.TryParse(Convert.FromHexString(hex), out var id));
        Assert.Equal(default, id);
    }
}
