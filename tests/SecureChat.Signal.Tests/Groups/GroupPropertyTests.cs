using CsCheck;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Groups;

public sealed class GroupPropertyTests
{
    private static readonly ProtocolAddress Alice = new(ServiceId.OfAccount(new Guid(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)), 1);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>
    /// A schedule is bytes: which of the messages under way is lost, arrives or waits, and when the second member joins. Nothing
    /// is kept but what the in-memory stores have serialised.
    /// </summary>
    [Fact]
    public async Task Whatever_a_member_receives_is_what_was_sent_since_it_joined_in_any_order_and_with_any_loss() =>
        await Gen.Select(Gen.ULong, Gen.Byte.Array[1, 200]).SampleAsync(
            async (seed, schedule) => await RunAsync(new SeededRandom(seed), schedule), iter: 60, threads: 1);

    private static async Task RunAsync(SeededRandom random, byte[] schedule)
    {
        var distribution = new Guid(random.Bytes(16));
        var (sender, bob, carol) = (Cipher(random), Cipher(random), Cipher(random));
        await GiveKeyAsync(sender, bob, distribution);
        var joins = random.Below(schedule.Length);
        var sent = new List<(byte[] Plaintext, byte[] Message, int At)>();
        for (var at = 0; at < schedule.Length; at++)
        {
            if (at == joins)
            {
                await GiveKeyAsync(sender, carol, distribution);
            }

            var plaintext = random.Bytes(random.Below(400));
            sent.Add((plaintext, await sender.EncryptAsync(Alice, distribution, plaintext, Ct), at));
            var which = (schedule[at] >> 2) * sent.Count / 64;
            if ((schedule[at] & 3) is 0)
            {
                sent.RemoveAt(which);
            }
            else if ((schedule[at] & 3) is 1 or 2)
            {
                var (expected, message, madeAt) = sent[which];
                sent.RemoveAt(which);
                await AssertReadOnceAsync(bob, expected, message);
                if (at >= joins)
                {
                    await (madeAt >= joins ? AssertReadOnceAsync(carol, expected, message) : AssertDuplicateAsync(carol, message));
                }
            }
        }
    }

    private static async Task GiveKeyAsync(GroupCipher sender, GroupCipher member, Guid distribution)
    {
        using var key = await sender.DistributeAsync(Alice, distribution, Ct);
        await member.ProcessAsync(Alice, key, Ct);
    }

    private static async Task AssertReadOnceAsync(GroupCipher member, byte[] plaintext, byte[] message)
    {
        Assert.Equal(plaintext, await member.DecryptAsync(Alice, message, Ct));
        await AssertDuplicateAsync(member, message);
    }

    private static async Task AssertDuplicateAsync(GroupCipher member, byte[] message)
    {
        var refusal = await Assert.ThrowsAsync<SignalException>(async () => await member.DecryptAsync(Alice, message, Ct));
        Assert.Equal(SignalError.DuplicateMessage, refusal.Error);
    }

    private static GroupCipher Cipher(SeededRandom random) => new(new InMemorySenderKeyStore(), random);
}
