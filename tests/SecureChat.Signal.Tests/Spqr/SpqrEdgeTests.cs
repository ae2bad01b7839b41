using Org.BouncyCastle.Crypto.Digests;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Spqr;

/// <summary>What an ordinary conversation of the ratchet does not come to, and a malicious peer or a bad connection does.</summary>
public sealed class SpqrEdgeTests
{
    private const int KeySize = 32;
    private readonly SeededRandom _random = new(47);

    [Fact]
    public void A_jump_costs_the_steps_from_the_last_key_and_not_from_the_first()
    {
        var far = new SpqrChain(_random.Bytes(KeySize)).TakeAt(20_000).Next;

        Assert.NotEmpty(far.TakeAt(20_010, new StepBudget(10)).Key);
        Assert.Throws<SignalException>(() => far.TakeAt(20_011, new StepBudget(10)));
    }

    [Fact]
    public void The_oldest_key_goes_when_it_is_too_far_behind()
    {
        var full = new SpqrChain(_random.Bytes(KeySize)).TakeAt(SpqrChain.KeptBehind + 1).Next;

        var more = full.TakeAt(SpqrChain.KeptBehind + 2).Next;

        Assert.NotEmpty(full.TakeAt(1).Key);
        Assert.Throws<SignalException>(() => more.TakeAt(1));
        Assert.NotEmpty(more.TakeAt(2).Key);
    }

    [Fact]
    public void A_message_of_an_epoch_that_nobody_knows_is_refused()
    {
        var chains = SpqrChains.Initial(_random.Bytes(KeySize), SpqrRole.Responder);

        Assert.NotEmpty(chains.Receive(0, 1, null).Key);
        Assert.Equal(SignalError.InvalidMessage, Assert.Throws<SignalException>(() => chains.Receive(7, 1, null)).Error);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("0181", false)]
    [InlineData("0101", false)]
    [InlineData("01010101", true)]
    [InlineData("01" + "81808080808080808001" + "01", true)]
    [InlineData("01" + "81808080808080808002" + "01", false)]
    [InlineData("01" + "8180808080808080808001" + "01", false)]
    public void A_preamble_has_whole_numbers_of_64_and_32_bits(string hex, bool isGood) =>
        Assert.Equal(isGood, SpqrMessage.TryParsePreamble(Convert.FromHexString(hex), out _, out _, out _));

    [Theory]
    [InlineData("", false)]
    [InlineData("01010100", true)]
    [InlineData("02010100", false)]
    [InlineData("01" + "81808080808080808002" + "0100", false)]
    public void A_message_is_of_one_version_and_not_empty(string hex, bool isGood) =>
        Assert.Equal(isGood, SpqrMessage.Parse(Convert.FromHexString(hex)) is not null);

    [Fact]
    public void A_vector_that_its_header_did_not_announce_is_refused()
    {
        var (header, vector) = IncrementalMlKem.PublicKey(_random.Bytes(IncrementalMlKem.SeedSize));
        var encapsulation = new Encapsulation(header, _random.Bytes(IncrementalMlKem.MessageSize));
        byte[] other = [.. vector];
        other[^1] ^= 1;

        Assert.Same(vector, encapsulation.Checked(vector));
        Assert.Equal(SignalError.InvalidMessage, Assert.Throws<SignalException>(() => encapsulation.Checked(other)).Error);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(767)]
    [InlineData(0, 2)]
    [InlineData(257, 600)]
    public void A_vector_with_a_coefficient_of_q_is_refused_though_its_header_announces_it(params int[] coefficients)
    {
        const int Q = 3329;
        var (header, vector) = IncrementalMlKem.PublicKey(_random.Bytes(IncrementalMlKem.SeedSize));
        foreach (var coefficient in coefficients)
        {
            var pair = vector.AsSpan(coefficient / 2 * 3, 3);
            if (coefficient % 2 == 0)
            {
                (pair[0], pair[1]) = (Q & 0xFF, (byte)((pair[1] & 0xF0) | (Q >> 8)));
            }
            else
            {
                (pair[1], pair[2]) = ((byte)((pair[1] & 0x0F) | ((Q & 0x0F) << 4)), Q >> 4);
            }
        }

        var sha3 = new Sha3Digest(256);
        sha3.BlockUpdate([.. vector, .. header[..32]]);
        sha3.DoFinal(header.AsSpan(32));

        Assert.False(IncrementalMlKem.Matches(header, vector));
    }

    [Fact]
    public void A_later_version_is_read_until_the_version_is_settled_also_after_a_restart()
    {
        var (alice, bob) = Pair();
        SpqrState Reloaded(SpqrState state)
        {
            Assert.True(SpqrState.TryParse(state.Serialize(), out var read));
            return read!;
        }

        var sent = Enumerable.Range(0, 4).Select(_ => alice.Send()).ToList();
        byte[] Newer(int i) => [2, .. sent[i].Message.AsSpan(1)];

        var first = Reloaded(bob.State).Receive(Newer(0));
        var second = Reloaded(first.Next).Receive(Newer(1));
        var settled = Reloaded(second.Next).Receive(sent[2].Message);

        Assert.Equal(sent[..3].Select(one => one.Key), [first.Key, second.Key, settled.Key]);
        Assert.Throws<SignalException>(() => Reloaded(settled.Next).Receive(Newer(3)));
    }

    [Fact]
    public void The_ratchet_goes_on_when_the_whole_key_has_come_before_the_ciphertext_is_acknowledged()
    {
        const byte Waiting = VectorReceivedCiphertext1Sampled.StateTag;
        var (alice, bob) = Pair();
        while (bob.State.Braid.Tag != Ciphertext1Sampled.StateTag)
        {
            alice.Say(bob);
            bob.Send();
        }

        // One chunk tells that the header has come; then nothing of the answer arrives until the key is whole, and for a while after it.
        bob.Say(alice);
        for (var rounds = 0; bob.State.Braid.Tag != Waiting && rounds < 200; rounds++)
        {
            alice.Say(bob);
            bob.Send();
        }

        for (var i = 0; i < 3; i++)
        {
            alice.Say(bob);
            bob.Send();
            Assert.Equal(Waiting, bob.State.Braid.Tag);
        }

        for (var rounds = 0; bob.State.Braid.Epoch < 3 && rounds < 300; rounds++)
        {
            bob.Say(alice);
            alice.Say(bob);
        }

        Assert.Equal(3u, bob.State.Braid.Epoch);
    }

    [Theory]
    [InlineData(1ul, 1ul, true)]
    [InlineData(0ul, 0ul, false)]
    public void A_stored_epoch_of_the_braid_is_not_zero(ulong epoch, ulong last, bool isGood)
    {
        var key = _random.Bytes(KeySize);
        var chains = SpqrChains.Initial(key, SpqrRole.Initiator);
        for (var next = 1ul; next <= last; next++)
        {
            chains = chains.Add(new EpochSecret(next, _random.Bytes(KeySize)));
        }

        var writer = new SpqrWriter();
        writer.Byte(1);
        writer.Byte((byte)SpqrRole.Initiator);
        writer.Byte(0);
        chains.Write(writer);
        var message = new byte[IncrementalMlKem.Ciphertext2Size + SpqrAuthenticator.MacSize];
        new Ciphertext2Sampled(epoch, SpqrAuthenticator.Initial(key), new ChunkEncoder(message, 0)).Write(writer);

        Assert.Equal(isGood, SpqrState.TryParse(writer.ToArrayAndErase(), out _));
    }

    private static (SpqrSide Initiator, SpqrSide Responder) Pair()
    {
        var key = new SeededRandom(48).Bytes(KeySize);
        return (new SpqrSide(SpqrState.Initialize(key, SpqrRole.Initiator), 49),
            new SpqrSide(SpqrState.Initialize(key, SpqrRole.Responder), 50));
    }
}
