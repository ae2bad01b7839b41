using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Spqr;

/// <summary>What a stored ratchet may say: each rule next to what just keeps it. A store is not always written by this program.</summary>
public sealed class StoredSpqrTests
{
    private const int KeySize = 32;

    private delegate void Reading(ref SpqrReader reader);

    [Theory]
    [InlineData(5u, true)]
    [InlineData(5u, true, 1u, 4u)]
    [InlineData(5u, false, 0u)]
    [InlineData(5u, false, 5u)]
    [InlineData(5u, false, 6u)]
    [InlineData(5u, false, 2u, 2u)]
    [InlineData(2_500u, true, 500u)]
    [InlineData(2_500u, false, 499u)]
    [InlineData(0x7FFF_FFFFu, true)]
    [InlineData(0x8000_0000u, false)]
    public void A_chain_keeps_keys_of_messages_before_its_last_one_and_not_too_old(uint counter, bool isGood, params uint[] kept)
    {
        var writer = new SpqrWriter();
        WriteChain(writer, counter, kept);

        Assert.Equal(isGood, IsGood(writer, (ref SpqrReader reader) => SpqrChain.Read(ref reader)));
    }

    [Fact]
    public void A_chain_keeps_two_thousand_keys_and_no_more()
    {
        foreach (var (count, isGood) in new[] { (2_000u, true), (2_001u, false) })
        {
            var writer = new SpqrWriter();
            WriteChain(writer, 2_001, [.. Enumerable.Range(1, (int)count).Select(index => (uint)Math.Min(index, 2_000))]);

            Assert.Equal(isGood, IsGood(writer, (ref SpqrReader reader) => SpqrChain.Read(ref reader)));
        }
    }

    [Theory]
    [InlineData(0ul, true, "0:1")]
    [InlineData(7ul, true, "6:0", "7:1", "8:1")]
    [InlineData(7ul, true, "7:1")]
    [InlineData(0ul, false)]
    [InlineData(7ul, false, "6:0", "7:1", "8:1", "9:1")]
    [InlineData(7ul, false, "6:1", "7:1")]
    [InlineData(7ul, false, "7:0", "8:1")]
    [InlineData(7ul, false, "7:2")]
    [InlineData(7ul, false, "7:1", "9:1")]
    [InlineData(7ul, false, "7:1", "7:1")]
    [InlineData(7ul, false, "8:1")]
    [InlineData(7ul, false, "5:0", "6:0")]
    [InlineData(1ul << 48, true, "281474976710656:1")]
    [InlineData((1ul << 48) + 1, false, "281474976710657:1")]
    public void Epochs_follow_one_another_and_send_from_the_one_that_is_sent_in(ulong sendingEpoch, bool isGood, params string[] links)
    {
        var writer = new SpqrWriter();
        writer.Bytes(new byte[KeySize]);
        writer.UInt64(sendingEpoch);
        writer.Byte((byte)links.Length);
        foreach (var link in links)
        {
            var (epoch, sending) = (ulong.Parse(link.Split(':')[0], null), byte.Parse(link.Split(':')[1], null));
            writer.UInt64(epoch);
            writer.Byte(sending);
            if (sending == 1)
            {
                WriteChain(writer, 0);
            }

            WriteChain(writer, 0);
        }

        Assert.Equal(isGood, IsGood(writer, (ref SpqrReader reader) => SpqrChains.Read(ref reader, SpqrRole.Initiator)));
    }

    [Theory]
    [InlineData(true, (ushort)0)]
    [InlineData(true, (ushort)0, (ushort)9)]
    [InlineData(true)]
    [InlineData(false, (ushort)4, (ushort)4)]
    [InlineData(false, (ushort)1, (ushort)2, (ushort)3)]
    public void A_message_that_is_still_awaited_lacks_a_chunk_and_has_none_twice(bool isGood, params ushort[] positions)
    {
        const int Chunks = 3;
        var writer = new SpqrWriter();
        writer.Byte((byte)positions.Length);
        foreach (var position in positions)
        {
            writer.UInt16(position);
        }

        writer.Bytes(new byte[positions.Length * ErasureCode.ChunkSize]);

        Assert.Equal(isGood, IsGood(writer, (ref SpqrReader reader) => reader.Decoder(Chunks * ErasureCode.ChunkSize)));
    }

    [Fact]
    public void A_state_is_of_one_of_two_roles_and_negotiates_or_does_not()
    {
        var random = new SeededRandom(9);
        var stored = SpqrState.Initialize(random.Bytes(KeySize), SpqrRole.Initiator).Serialize();
        bool IsGood(byte role, byte negotiates)
        {
            var changed = stored.ToArray();
            (changed[1], changed[2]) = (role, negotiates);
            return SpqrState.TryParse(changed, out _);
        }

        Assert.True(IsGood(stored[1], 0));
        Assert.True(IsGood(stored[1], 1));
        Assert.False(IsGood(stored[1], 2));
        Assert.False(IsGood(9, 0));
        Assert.False(IsGood(9, 1));
    }

    private static void WriteChain(SpqrWriter writer, uint counter, params uint[] kept)
    {
        writer.UInt32(counter);
        writer.Bytes(new byte[KeySize]);
        writer.UInt16((ushort)kept.Length);
        foreach (var index in kept)
        {
            writer.UInt32(index);
            writer.Bytes(new byte[KeySize]);
        }
    }

    private static bool IsGood(SpqrWriter writer, Reading read)
    {
        var reader = new SpqrReader(writer.ToArrayAndErase());
        read(ref reader);
        return reader.IsComplete;
    }
}
