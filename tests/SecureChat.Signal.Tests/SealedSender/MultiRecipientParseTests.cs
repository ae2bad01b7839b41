using SecureChat.Signal.Addresses;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.SealedSender;

public sealed class MultiRecipientParseTests
{
    private readonly Service _service = new(new SeededRandom(1));

    [Fact]
    public void Every_prefix_of_a_message_is_refused_or_has_a_content_that_nobody_opens()
    {
        var (message, bob) = Message();

        foreach (var prefix in Bits.Prefixes(message))
        {
            Assert.Throws<SignalException>(() => OpenAll(prefix, bob));
        }
    }

    [Fact]
    public void No_flipped_bit_lets_a_recipient_open_something_else()
    {
        var (message, bob) = Message();

        foreach (var changed in Bits.Flips(message))
        {
            var opened = new List<SealedContent>();
            var error = Record.Exception(() => opened = OpenAll(changed, bob));

            Assert.True(error is null or SignalException, error?.ToString());
            Assert.All(opened, content => Assert.Equal([1, 2, 3], content.Message.ToArray()));
        }
    }

    [Theory]
    [InlineData("same account twice", "02" + Id + "01" + "0001" + Key + Id + "01" + "0001" + Key)]
    [InlineData("same account twice, once left out", "02" + Id + "01" + "0001" + Key + Id + "00")]
    [InlineData("same device twice", "01" + Id + "01" + "8001" + "01" + "0001" + Key)]
    [InlineData("device 0 after another", "01" + Id + "01" + "8001" + "00" + "0001" + Key)]
    [InlineData("device 128", "01" + Id + "80" + "0001" + Key)]
    [InlineData("registration id of 15 bits", "01" + Id + "01" + "4001" + Key)]
    [InlineData("kind of account that does not exist", "01" + "02" + Uuid + "01" + "0001" + Key)]
    [InlineData("more recipients than are allowed", "8120")]
    [InlineData("endless count", "ffffffffffffffff")]
    [InlineData("count of 33 bits", "ffffffff10")]
    [InlineData("count of six bytes", "818080808000" + Id + "01" + "0001" + Key)]
    public void A_malformed_list_of_recipients_is_refused(string what, string hex)
    {
        var message = Convert.FromHexString("23" + hex + new string('0', 2 * 200));

        var refusal = Record.Exception(() => MultiRecipientMessage.Parse(message));

        Assert.True(refusal is SignalException { Error: SignalError.InvalidMessage }, what);
    }

    /// <summary>Nothing has to be opened for it: so this is quick, and goes through every place where the list can end.</summary>
    [Fact]
    public void A_list_of_recipients_that_is_cut_is_refused() => Assert.All(
        Bits.Prefixes(Convert.FromHexString(WellFormed)),
        prefix => Assert.Throws<SignalException>(() => MultiRecipientMessage.Parse(prefix)));

    [Fact]
    public void The_same_list_well_formed_is_accepted()
    {
        var message = Convert.FromHexString(WellFormed + new string('0', 2 * 200));

        var parsed = MultiRecipientMessage.Parse(message);

        Assert.Equal([new RecipientDevice(1, 1), new RecipientDevice(127, 0x3FFF)], parsed.Recipients[0].Devices);
        Assert.Single(parsed.Excluded);
        Assert.Equal(1 + 48 + 200, parsed.EnvelopeFor(parsed.Recipients[0]).Length);
    }

    [Theory]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(1000)]
    public void Who_is_left_out_is_written_and_read_whatever_their_number(int count)
    {
        var (alice, bob) = (new Account(_service.Random, 1), new Account(_service.Random, 1));
        var excluded = Enumerable.Range(0, count - 1).Select(_ => ServiceId.OfAccount(new Guid(_service.Random.Bytes(16)))).ToArray();

        var message = MultiRecipientMessage.Seal(
            new SealedContent(CiphertextType.Message, _service.CertificateOf(alice), new byte[] { 1, 2, 3 }),
            [new MultiRecipient(bob.Id, bob.Identity.PublicKey, [new RecipientDevice(1, 1)])],
            excluded,
            alice.Identity,
            _service.Random);
        var parsed = MultiRecipientMessage.Parse(message);

        Assert.Equal(excluded, parsed.Excluded);
        Assert.Single(OpenAll(message, bob));
    }

    [Fact]
    public void A_list_has_4096_entries_at_most_and_all_of_the_body_behind_it()
    {
        byte[] ListOf(int count, int rest) =>
        [
            0x23, (byte)(0x80 | (count & 0x7F)), (byte)(count >> 7),
            .. Enumerable.Range(0, count).SelectMany(_ => (byte[])[0, .. _service.Random.Bytes(16), 0]), .. new byte[rest],
        ];

        Assert.Equal(4096, MultiRecipientMessage.Parse(ListOf(4096, 48)).Excluded.Count);
        Assert.Throws<SignalException>(() => MultiRecipientMessage.Parse(ListOf(4097, 48)));
        Assert.Throws<SignalException>(() => MultiRecipientMessage.Parse(ListOf(200, 47)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("22")]
    [InlineData("24")]
    public void Another_version_is_refused(string hex) => Assert.Equal(
        SignalError.UnknownVersion,
        Assert.Throws<SignalException>(() => MultiRecipientMessage.Parse(Convert.FromHexString(hex))).Error);

    private const string Uuid = "11111111222233334444555555555555";
    private const string OtherUuid = "11111111222233334444555555555556";
    private const string Id = "00" + Uuid;
    private const string Key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    private const string WellFormed = "23" + "02" + Id + "01" + "8001" + "7f" + "3fff" + Key + "00" + OtherUuid + "00";

    private (byte[] Message, Account Bob) Message()
    {
        var (alice, bob) = (new Account(_service.Random, 1), new Account(_service.Random, 1));
        var content = new SealedContent(CiphertextType.Message, _service.CertificateOf(alice), new byte[] { 1, 2, 3 });
        var message = MultiRecipientMessage.Seal(
            content,
            [new MultiRecipient(bob.Id, bob.Identity.PublicKey, [new RecipientDevice(1, 1), new RecipientDevice(2, 2)])],
            [ServiceId.OfAccount(new Guid(_service.Random.Bytes(16)))],
            alice.Identity,
            _service.Random);
        return (message, bob);
    }

    private List<SealedContent> OpenAll(byte[] message, Account bob)
    {
        var parsed = MultiRecipientMessage.Parse(message);
        return [.. parsed.Recipients.Select(part => SealedEnvelope.Open(
            parsed.EnvelopeFor(part), bob.Identity, bob.Address, [_service.Root.PublicKey], Service.Now))];
    }
}
