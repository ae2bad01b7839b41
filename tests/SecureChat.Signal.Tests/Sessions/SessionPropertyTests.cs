using CsCheck;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Sessions;

public sealed class SessionPropertyTests
{
    /// <summary>
    /// A schedule is bytes: who sends, and which of the messages under way arrives, if any. Nothing is stored but what the
    /// in-memory stores have serialised.
    /// </summary>
    [Fact]
    public async Task Whatever_arrives_is_what_was_sent_in_any_order_and_with_any_loss() =>
        await Gen.Select(Gen.ULong, Gen.Byte.Array[1, 150]).SampleAsync(
            async (seed, schedule) => await RunAsync(new SeededRandom(seed), schedule), iter: 60, threads: 1);

    [Fact]
    public void Any_bytes_are_read_or_refused_with_a_reason()
    {
        var anything = Gen.Byte.Array[0, 300];
        var almost = anything.Select(bytes => (byte[])[MessageVersion.Current, .. bytes]);

        anything.Sample(bytes => Refuses(() => SessionRecord.Parse(bytes)) && Refuses(() => PreKeyRecord.Parse(bytes))
            && Refuses(() => SignedPreKeyRecord.Parse(bytes)) && Refuses(() => KyberPreKeyRecord.Parse(bytes))
            && Refuses(() => IdentityKeyPair.Parse(bytes)) && Refuses(() => KyberKeyPair.Parse(bytes)));
        almost.Sample(bytes => Refuses(() => SignalMessage.Parse(bytes)) && Refuses(() => PreKeySignalMessage.Parse(bytes)));
    }

    private static bool Refuses(Action read)
    {
        try
        {
            read();
            return false;
        }
        catch (SignalException)
        {
            return true;
        }
    }

    private static async Task RunAsync(SeededRandom random, byte[] schedule)
    {
        using var alice = new Device(random);
        using var bob = new Device(random, 2);
        await alice.StartAsync(bob, oneTime: random.Percent(50), kyberOneTime: random.Percent(50));
        var (toBob, toAlice) = (new Line(), new Line());
        toBob.Add(await SendAsync(alice, bob, [1]));
        await DeliverAsync(toBob, 0, bob, alice);
        foreach (var step in schedule)
        {
            var (from, to, line) = (step & 1) == 0 ? (alice, bob, toBob) : (bob, alice, toAlice);
            line.Add(await SendAsync(from, to, random.Bytes(random.Below(400))));
            switch ((step >> 1) & 7)
            {
                case 0:
                    line.RemoveAt((step >> 4) * line.Count / 16);
                    break;
                case < 5:
                    await DeliverAsync(line, (step >> 4) * line.Count / 16, to, from);
                    break;
            }

            if (line.Count > 3)
            {
                line.RemoveAt(0);
            }
        }
    }

    private static async Task<(SessionMessage, byte[])> SendAsync(Device from, Device to, byte[] plaintext) =>
        (await from.EncryptAsync(to.Address, plaintext), plaintext);

    private static async Task DeliverAsync(Line line, int at, Device to, Device from)
    {
        var (message, plaintext) = line[at];
        line.RemoveAt(at);
        Assert.Equal(plaintext, await to.DecryptAsync(from.Address, message));
        Assert.Equal(SignalError.DuplicateMessage, await to.RefusalAsync(from.Address, message));
        line.Note(message);
    }

    /// <summary>The messages under way in one direction.</summary>
    private sealed class Line : List<(SessionMessage Message, byte[] Plaintext)>
    {
        private const int KeptChains = 5;
        private readonly List<PublicKey> _chains = [];

        /// <summary>A message has arrived. What waits of a chain that the receiver forgets by it is rightly refused; so it is lost here.</summary>
        public void Note(SessionMessage message)
        {
            var chain = ChainOf(message);
            if (!_chains.Contains(chain))
            {
                _chains.Add(chain);
                RemoveAll(waiting => _chains.SkipLast(KeptChains).Contains(ChainOf(waiting.Message)));
            }
        }

        private static PublicKey ChainOf(SessionMessage message) => message.Type == CiphertextType.PreKeyMessage
            ? PreKeySignalMessage.Parse(message.Serialized.Span).Message.RatchetKey
            : SignalMessage.Parse(message.Serialized.Span).RatchetKey;
    }
}
