using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.Wire;

/// <summary>The encoding of protobuf's specification, which everything sent and stored is read by.</summary>
public sealed class ProtobufTests
{
    [Theory]
    [InlineData(0, "00")]
    [InlineData(1, "01")]
    [InlineData(127, "7f")]
    [InlineData(128, "8001")]
    [InlineData(150, "9601")]
    [InlineData(16383, "ff7f")]
    [InlineData(16384, "808001")]
    [InlineData(uint.MaxValue, "ffffffff0f")]
    [InlineData(ulong.MaxValue, "ffffffffffffffffff01")]
    public void A_number_takes_seven_bits_a_byte_the_lowest_first(ulong number, string hex)
    {
        var expected = Convert.FromHexString("08" + hex);

        var written = new ProtoWriter().UInt(1, number).ToArray();
        var reader = new ProtoReader(written);

        Assert.Equal(expected, written);
        Assert.True(reader.Next());
        Assert.Equal((1, number), (reader.Field, reader.UInt64()));
        Assert.False(reader.Next());
        Assert.True(reader.IsValid);
    }

    [Theory]
    [InlineData("08")]
    [InlineData("0880")]
    [InlineData("08ffffffffffffffffff02")]
    [InlineData("08ffffffffffffffffff7f")]
    [InlineData("08ffffffffffffffffff8100")]
    [InlineData("08ffffffffffffffffffff01")]
    public void A_number_that_does_not_end_or_has_more_than_64_bits_is_refused(string hex)
    {
        var reader = new ProtoReader(Convert.FromHexString(hex));

        Assert.False(reader.Next());
        Assert.False(reader.IsValid);
        Assert.Equal(0u, reader.UInt32());
        Assert.Equal(0ul, reader.UInt64());
    }

    [Fact]
    public void A_number_of_32_bits_has_no_more()
    {
        var most = new ProtoReader(new ProtoWriter().UInt(1, uint.MaxValue).Written);
        var more = new ProtoReader(new ProtoWriter().UInt(1, uint.MaxValue + 1ul).UInt(2, 1).Written);

        Assert.True(most.Next());
        Assert.Equal(uint.MaxValue, most.UInt32());
        Assert.True(most.IsValid);
        Assert.True(more.Next());
        Assert.Equal(0u, more.UInt32());
        Assert.False(more.IsValid);
        Assert.False(more.Next());
    }

    [Fact]
    public void Eight_fixed_bytes_are_little_endian()
    {
        var written = new ProtoWriter().Fixed64(1, 0x0102030405060708).UInt(2, 3).ToArray();
        var reader = new ProtoReader(written);

        Assert.Equal("0908070605040302011003", Convert.ToHexStringLower(written));
        Assert.True(reader.Next());
        Assert.Equal(0x0102030405060708ul, reader.Fixed64());
        Assert.True(reader.Next());
        Assert.Equal(3u, reader.UInt32());
    }

    [Fact]
    public void Text_is_bytes_with_their_length_in_front()
    {
        var written = new ProtoWriter().Text(2, "testing").ToArray();

        // The example of protobuf's specification.
        Assert.Equal("120774657374696e67", Convert.ToHexStringLower(written));
    }

    [Theory]
    [InlineData(1, "0a00")]
    [InlineData(15, "7a00")]
    [InlineData(16, "820100")]
    [InlineData(0x1FFF_FFFF, "faffffff0f00")]
    public void A_field_is_named_by_its_number(int field, string hex)
    {
        var written = new ProtoWriter().Bytes(field, []).ToArray();
        var reader = new ProtoReader(written);

        Assert.Equal(Convert.FromHexString(hex), written);
        Assert.True(reader.Next());
        Assert.Equal(field, reader.Field);
        Assert.Empty(reader.Bytes().ToArray());
        Assert.True(reader.IsValid);
    }

    [Theory]
    [InlineData("0200")]
    [InlineData("828080801000")]
    [InlineData("82808080808080800100")]
    public void A_field_number_that_cannot_be_is_refused(string hex)
    {
        var reader = new ProtoReader(Convert.FromHexString(hex));

        Assert.False(reader.Next());
        Assert.False(reader.IsValid);
        Assert.Equal(0, reader.Field);
    }

    [Fact]
    public void Fields_of_every_kind_are_passed_over()
    {
        // A number, eight bytes, bytes, four bytes, and then the field that is asked for.
        var reader = new ProtoReader(Convert.FromHexString("089601" + "110102030405060708" + "1a03aabbcc" + "2501020304" + "2807"));

        var fields = new List<int>();
        while (reader.Next())
        {
            fields.Add(reader.Field);
        }

        Assert.Equal([1, 2, 3, 4, 5], fields);
        Assert.True(reader.IsValid);
        Assert.Equal(7u, reader.UInt32());
    }

    [Theory]
    [InlineData("0b0c")]
    [InlineData("0c")]
    [InlineData("0e00")]
    [InlineData("0f00")]
    public void Groups_and_kinds_that_do_not_exist_are_refused(string hex)
    {
        var reader = new ProtoReader(Convert.FromHexString(hex));

        Assert.False(reader.Next());
        Assert.False(reader.IsValid);
    }

    [Theory]
    [InlineData("0a01")]
    [InlineData("0a03aabb")]
    [InlineData("0affffffff07aa")]
    [InlineData("0affffffffffffffffff01aa")]
    [InlineData("0901020304050607")]
    [InlineData("0d010203")]
    public void What_reaches_beyond_the_end_is_refused(string hex)
    {
        var reader = new ProtoReader(Convert.FromHexString(hex));

        Assert.False(reader.Next());
        Assert.False(reader.IsValid);
        Assert.Empty(reader.Bytes().ToArray());
        Assert.Equal(0ul, reader.Fixed64());
    }

    [Fact]
    public void A_field_of_another_kind_than_asked_for_makes_the_message_invalid()
    {
        byte[] number = [0x08, 5];
        byte[] bytes = [0x0A, 8, 1, 2, 3, 4, 5, 6, 7, 8];
        byte[] both = [.. number, .. bytes];
        var asBytes = new ProtoReader(number);
        var asFixed = new ProtoReader(number);
        var asNumber = new ProtoReader(bytes);
        var fromBytes = new ProtoReader(bytes);
        var afterNumber = new ProtoReader(both);
        Assert.True(asBytes.Next() && asFixed.Next() && asNumber.Next() && fromBytes.Next() && afterNumber.Next() && afterNumber.Next());

        Assert.Equal(0, asBytes.Bytes().Length);
        Assert.Equal((0ul, 0ul), (asFixed.Fixed64(), fromBytes.Fixed64()));
        Assert.Equal((0ul, 0ul), (asNumber.UInt64(), afterNumber.UInt64()));
        Assert.False(asBytes.IsValid || asFixed.IsValid || asNumber.IsValid || fromBytes.IsValid || afterNumber.IsValid);
    }

    [Fact]
    public void An_empty_message_is_valid_and_has_no_field()
    {
        var reader = new ProtoReader([]);

        Assert.False(reader.Next());
        Assert.True(reader.IsValid);
    }

    [Fact]
    public void What_is_erased_leaves_nothing_in_the_writers_memory()
    {
        var writer = new ProtoWriter().Bytes(1, [1, 2, 3]);
        var memory = writer.Written;
        var taken = writer.ToArrayAndErase();

        Assert.Equal([0x0A, 3, 1, 2, 3], taken);
        Assert.Equal(new byte[5], memory.ToArray());
        Assert.Equal(0, writer.Written.Length);
    }
}
