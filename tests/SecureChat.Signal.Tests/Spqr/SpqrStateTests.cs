using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Spqr;

public sealed class SpqrStateTests
{
    [Fact]
    public void Both_sides_derive_the_same_keys_through_ten_epochs()
    {
        var (alice, bob) = Pair(1);

        for (var i = 0; i < 440; i++)
        {
            alice.Say(bob);
            bob.Say(alice);
        }

        Assert.True(alice.State.Braid.Epoch > 10);
        Assert.Equal(880, alice.Seen + bob.Seen);
    }

    [Fact]
    public void An_epoch_takes_87_messages_when_the_sides_alternate()
    {
        var (alice, bob) = Pair(2);
        var sent = 0;

        while (alice.State.Braid.Epoch == 1 || bob.State.Braid.Epoch == 1)
        {
            alice.Say(bob);
            sent++;
            if (alice.State.Braid.Epoch == 1 || bob.State.Braid.Epoch == 1)
            {
                bob.Say(alice);
                sent++;
            }
        }

        Assert.Equal(87, sent);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public void Keys_agree_under_loss_reordering_and_bursts_with_a_reload_after_every_message(int seed)
    {
        var (alice, bob) = Pair((ulong)seed);

        var wire = new Wire(alice, bob, (ulong)seed);
        wire.Run(2_000);

        Assert.True(wire.Delivered > 1_500);
        Assert.True(Math.Min(alice.State.Braid.Epoch, bob.State.Braid.Epoch) > 5);
    }

    [Fact]
    public void Every_state_and_every_kind_of_message_occurs_under_bursts()
    {
        var (alice, bob) = Pair(20);
        var wire = new Wire(alice, bob, 20);

        wire.Run(6_000);

        var states = alice.States.Union(bob.States).Order();
        Assert.Equal(Enumerable.Range(1, 11), states.Select(tag => (int)tag));
        Assert.Equal(Enum.GetValues<SpqrMessageType>(), alice.Types.Union(bob.Types).Order());
    }

    [Fact]
    public void The_first_message_opens_the_stream_of_the_public_key()
    {
        var (alice, _) = Pair(3);

        var sent = alice.State.Send(new SeededRandom(1));

        Assert.Equal([1, 1, 1, 1, 0], sent.Message[..5]);
        Assert.Equal(37, sent.Message.Length);
    }

    [Fact]
    public void The_first_answer_carries_nothing()
    {
        var (alice, bob) = Pair(3);
        alice.Say(bob);

        Assert.Equal([1, 1, 1, 0], bob.State.Send(new SeededRandom(1)).Message);
    }

    [Fact]
    public void A_message_received_twice_is_a_duplicate()
    {
        var (alice, bob) = Pair(4);
        var sent = alice.State.Send(alice.Random);
        var after = bob.State.Receive(sent.Message).Next;

        var refusal = Assert.Throws<SignalException>(() => after.Receive(sent.Message));

        Assert.Equal(SignalError.DuplicateMessage, refusal.Error);
    }

    [Theory]
    [InlineData(2_000, true)]
    [InlineData(2_001, false)]
    public void A_late_message_finds_its_key_2000_messages_later_and_no_more(int later, bool found)
    {
        var (alice, bob) = Pair(5);
        var late = alice.Send();
        var last = late;
        for (var i = 0; i < later; i++)
        {
            last = alice.Send();
        }

        var after = bob.State.Receive(last.Message).Next;
        var error = Record.Exception(() => Assert.Equal(late.Key, after.Receive(late.Message).Key));

        Assert.Equal(found, error is null);
    }

    [Theory]
    [InlineData(25_000, true)]
    [InlineData(25_001, false)]
    public void A_jump_of_25000_messages_is_the_furthest(int jump, bool accepted)
    {
        var (_, bob) = Pair(6);
        var message = new SpqrMessage(1, (uint)jump, SpqrMessageType.None, null).Serialize();

        var error = Record.Exception(() => bob.State.Receive(message));

        Assert.Equal(accepted, error is null);
    }

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData("00010100")]
    public void A_message_without_the_ratchet_is_refused_as_legacy(string hex)
    {
        var (_, bob) = Pair(7);

        var refusal = Assert.Throws<SignalException>(() => bob.State.Receive(Convert.FromHexString(hex)));

        Assert.Equal(SignalError.LegacyVersion, refusal.Error);
    }

    [Fact]
    public void A_later_version_gets_the_first_epochs_key_until_the_version_is_settled()
    {
        var (alice, bob) = Pair(8);
        var sent = alice.State.Send(alice.Random);
        byte[] newer = [2, .. sent.Message.AsSpan(1)];

        var received = bob.State.Receive(newer);
        var settled = bob.State.Receive(sent.Message).Next;

        Assert.Equal(sent.Key, received.Key);
        Assert.Same(bob.State.Braid, received.Next.Braid);
        Assert.Throws<SignalException>(() => settled.Receive([2, 1, 2, 0]));
    }

    [Fact]
    public void A_header_changed_on_its_way_is_refused_and_the_state_that_met_it_goes_on()
    {
        var (alice, bob) = Pair(9);
        var sent = Enumerable.Range(0, 3).Select(_ => alice.Send()).ToList();
        var waiting = bob.State.Receive(sent[0].Message).Next.Receive(sent[1].Message).Next;
        byte[] changed = [.. sent[2].Message];
        changed[^1] ^= 1;

        var refusal = Assert.Throws<SignalException>(() => waiting.Receive(changed));

        Assert.Equal(SignalError.InvalidMessage, refusal.Error);
        Assert.Equal(sent[2].Key, waiting.Receive(sent[2].Message).Key);
    }

    [Fact]
    public void A_chunk_forged_in_any_stream_keeps_the_epoch_from_being_agreed()
    {
        foreach (var type in new[]
                 {
                     SpqrMessageType.Header, SpqrMessageType.Vector, SpqrMessageType.Ciphertext1,
                     SpqrMessageType.Ciphertext2,
                 })
        {
            var (alice, bob) = Pair(30 + (ulong)type);
            var forged = false;
            var refused = false;
            for (var i = 0; i < 60 && !refused; i++)
            {
                refused = !alice.TrySay(bob, Forge) || !bob.TrySay(alice, Forge);
            }

            Assert.True(forged && refused, type.ToString());
            Assert.Equal(1UL, Math.Min(alice.State.Braid.Epoch, bob.State.Braid.Epoch));

            byte[] Forge(byte[] message)
            {
                var parsed = SpqrMessage.Parse(message)!;
                if (forged || parsed.Type != type)
                {
                    return message;
                }

                forged = true;
                parsed.Chunk!.Data[3] ^= 0x40;
                return parsed.Serialize();
            }
        }
    }

    [Fact]
    public void A_message_of_an_epoch_that_cannot_be_is_refused()
    {
        var (alice, bob) = Pair(40);
        alice.Say(bob);

        foreach (var epoch in new ulong[] { 2, 3, 1UL << 40, ulong.MaxValue })
        {
            var message = new SpqrMessage(epoch, 5, SpqrMessageType.None, null).Serialize();
            Assert.Throws<SignalException>(() => bob.State.Receive(message));
        }
    }

    private static (SpqrSide Initiator, SpqrSide Responder) Pair(ulong seed)
    {
        var authKey = new SeededRandom(seed).Bytes(32);
        return (new SpqrSide(SpqrState.Initialize(authKey, SpqrRole.Initiator), 2 * seed),
            new SpqrSide(SpqrState.Initialize(authKey, SpqrRole.Responder), (2 * seed) + 1));
    }
}
