using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Spqr;

public sealed class ErasureCodeTests
{
    [Fact]
    public void Field_products_equal_long_multiplication()
    {
        var random = new SeededRandom(1);
        for (var i = 0; i < 50_000; i++)
        {
            var (a, b) = ((ushort)random.Below(0x10000), (ushort)(1 + random.Below(0xFFFF)));

            Assert.Equal(LongMultiply(a, b), GaloisField.MultiplyByLog(a, GaloisField.Log(b)));
        }
    }

    [Fact]
    public void Every_element_but_zero_has_its_own_logarithm()
    {
        var logs = Enumerable.Range(1, 0xFFFF).Select(element => GaloisField.Log((ushort)element)).Distinct().Count();

        Assert.Equal(0xFFFF, logs);
    }

    [Theory]
    [InlineData(96)]
    [InlineData(160)]
    [InlineData(960)]
    [InlineData(1152)]
    public void The_first_chunks_are_the_message_itself(int size)
    {
        var message = new SeededRandom((ulong)size).Bytes(size);

        var chunks = Chunks(message, size / ErasureCode.ChunkSize);

        Assert.Equal(message, chunks.SelectMany(chunk => chunk.Data));
        Assert.Equal(Enumerable.Range(0, chunks.Count), chunks.Select(chunk => (int)chunk.Position));
    }

    [Theory]
    [InlineData(96)]
    [InlineData(160)]
    [InlineData(960)]
    [InlineData(1152)]
    public void Any_chunks_enough_in_number_rebuild_the_message(int size)
    {
        var random = new SeededRandom((ulong)size);
        for (var round = 0; round < 40; round++)
        {
            var message = random.Bytes(size);
            var needed = size / ErasureCode.ChunkSize;
            var start = random.Percent(50) ? 0 : random.Below(0x10000);
            var arriving = Chunks(message, needed * 3, start).OrderBy(_ => random.Below(int.MaxValue)).ToList();
            var decoder = ChunkDecoder.For(size);

            foreach (var chunk in arriving.Take(needed - 1))
            {
                decoder = decoder.Add(chunk).Add(chunk);
            }

            Assert.False(decoder.IsComplete);
            Assert.Equal(message, decoder.Add(arriving[needed - 1]).Add(arriving[needed]).Decode());
        }
    }

    [Fact]
    public void The_position_starts_over_after_65535()
    {
        var message = new SeededRandom(9).Bytes(96);

        var chunks = Chunks(message, 3, start: 0xFFFF);

        Assert.Equal([0xFFFF, 0, 1], chunks.Select(chunk => (int)chunk.Position));
        Assert.Equal(message.AsSpan(0, 64).ToArray(), chunks.Skip(1).SelectMany(chunk => chunk.Data));
    }

    [Fact]
    public void An_incomplete_message_is_not_given_out()
    {
        var decoder = ChunkDecoder.For(96).Add(new Chunk(0, new byte[32]));

        Assert.Throws<InvalidOperationException>(decoder.Decode);
    }

    private static List<Chunk> Chunks(byte[] message, int count, int start = 0)
    {
        var encoder = new ChunkEncoder(message, (ushort)start);
        var chunks = new List<Chunk>();
        while (chunks.Count < count)
        {
            (var chunk, encoder) = encoder.Take();
            chunks.Add(chunk);
        }

        return chunks;
    }

    private static ushort LongMultiply(int a, int b)
    {
        var product = 0L;
        for (var bit = 0; bit < 16; bit++)
        {
            product ^= ((b >> bit) & 1) == 1 ? (long)a << bit : 0;
        }

        for (var bit = 31; bit >= 16; bit--)
        {
            product ^= ((product >> bit) & 1) == 1 ? 0x1100BL << (bit - 16) : 0;
        }

        return (ushort)product;
    }
}
