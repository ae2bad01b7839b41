using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Spqr;

public sealed class SpqrMalformedTests
{
    [Theory]
    [InlineData(1UL, 1u, 0, "01010100")]
    [InlineData(1UL, 127u, 0, "01017f00")]
    [InlineData(1UL, 128u, 0, "0101800100")]
    [InlineData(128UL, 16384u, 0, "01800180800100")]
    [InlineData(1UL, 300u, 4, "0101ac0204")]
    [InlineData(ulong.MaxValue, uint.MaxValue, 0, "01ffffffffffffffffff01ffffffff0f00")]
    public void Messages_without_a_chunk_have_this_form(ulong epoch, uint index, int type, string hex)
    {
        var message = new SpqrMessage(epoch, index, (SpqrMessageType)type, null);

        Assert.Equal(hex, Convert.ToHexStringLower(message.Serialize()));
        Assert.Equal(message, SpqrMessage.Parse(Convert.FromHexString(hex)));
    }

    [Fact]
    public void A_chunk_follows_its_position()
    {
        var message = new SpqrMessage(2, 5, SpqrMessageType.Vector, new Chunk(0xFFFF, new SeededRandom(1).Bytes(32)));

        var bytes = message.Serialize();

        Assert.Equal("01020502ffff03", Convert.ToHexStringLower(bytes.AsSpan(0, 7)));
        Assert.Equal(message.Chunk!.Data, SpqrMessage.Parse(bytes)!.Chunk!.Data);
    }

    [Theory]
    [InlineData("01")]
    [InlineData("0101")]
    [InlineData("010101")]
    [InlineData("01000100")] // epoch 0
    [InlineData("01010107")] // no such type
    [InlineData("0101010100")] // chunk missing
    [InlineData("01010101808004")] // position 65536
    [InlineData("010180808080808080808000")] // index cut short
    [InlineData("0101808080801000")] // index of 33 bits
    [InlineData("01ffffffffffffffffff020100")] // epoch of 65 bits
    [InlineData("01ffffffffffffffffffff010100")] // varint of 11 bytes
    public void What_is_not_a_message_is_refused(string hex)
    {
        var (_, bob) = Pair();

        var refusal = Assert.Throws<SignalException>(() => bob.Receive(Convert.FromHexString(hex)));

        Assert.Contains(refusal.Error, new[] { SignalError.InvalidMessage, SignalError.LegacyVersion });
    }

    [Fact]
    public void Bytes_after_a_message_are_ignored()
    {
        var (alice, bob) = Pair();
        var sent = alice.Send(new SeededRandom(1));

        Assert.Equal(sent.Key, bob.Receive([.. sent.Message, 1, 2, 3]).Key);
    }

    [Fact]
    public void No_bit_flip_of_a_message_does_more_than_refuse_it_or_give_another_key()
    {
        foreach (var (state, message, _) in Conversation().Where((_, i) => i % 9 == 0))
        {
            var before = state.Serialize();
            for (var bit = 0; bit < message.Length * 8; bit++)
            {
                var changed = Flip(message, bit);
                var error = Record.Exception(() => state.Receive(changed));

                Assert.True(error is null or SignalException, error?.ToString());
            }

            Assert.Equal(before, state.Serialize());
        }
    }

    [Fact]
    public void Every_prefix_of_a_stored_state_and_every_extension_is_refused()
    {
        foreach (var (state, _, _) in Conversation().Where((_, i) => i % 9 == 0))
        {
            var stored = state.Serialize();
            for (var size = 0; size < stored.Length; size++)
            {
                Assert.False(SpqrState.TryParse(stored.AsSpan(0, size), out _));
            }

            Assert.False(SpqrState.TryParse([.. stored, 0], out _));
        }
    }

    [Fact]
    public void No_bit_flip_of_a_stored_state_does_more_than_refuse_or_fail_later()
    {
        foreach (var (state, message, _) in Conversation().Where((_, i) => i % 21 == 0))
        {
            var stored = state.Serialize();
            for (var bit = 0; bit < stored.Length * 8; bit += 3)
            {
                if (!SpqrState.TryParse(Flip(stored, bit), out var loaded))
                {
                    continue;
                }

                var sending = Record.Exception(() => loaded!.Send(new SeededRandom(1)));
                var receiving = Record.Exception(() => loaded!.Receive(message));

                Assert.True(sending is null, $"{sending}");
                Assert.True(receiving is null or SignalException, $"{receiving}");
            }
        }
    }

    [Fact]
    public void Noise_is_neither_a_message_nor_a_state()
    {
        var random = new SeededRandom(77);
        var (_, bob) = Pair();
        for (var i = 0; i < 20_000; i++)
        {
            var noise = random.Bytes(random.Below(120));
            if (noise.Length > 0)
            {
                noise[0] = 1; // A later version is taken at its index alone, and only costs the time of a jump.
            }

            var error = Record.Exception(() => bob.Receive(noise));

            Assert.True(error is null or SignalException, error?.ToString());
            Assert.False(SpqrState.TryParse(noise, out _));
        }
    }

    /// <summary>The receiving state, message and key of each step of the first epoch and a half.</summary>
    private static IEnumerable<(SpqrState State, byte[] Message, byte[] Key)> Conversation()
    {
        var (alice, bob) = Pair();
        var random = new SeededRandom(5);
        for (var i = 0; i < 130; i++)
        {
            var sent = alice.Send(random);
            yield return (bob, sent.Message, sent.Key);
            (alice, bob) = (bob.Receive(sent.Message).Next, sent.Next);
        }
    }

    private static (SpqrState Initiator, SpqrState Responder) Pair()
    {
        var authKey = new SeededRandom(6).Bytes(32);
        return (SpqrState.Initialize(authKey, SpqrRole.Initiator), SpqrState.Initialize(authKey, SpqrRole.Responder));
    }

    private static byte[] Flip(byte[] bytes, int bit)
    {
        byte[] changed = [.. bytes];
        changed[bit / 8] ^= (byte)(1 << (bit % 8));
        return changed;
    }
}
