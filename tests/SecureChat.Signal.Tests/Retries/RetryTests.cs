using SecureChat.Signal.Retries;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Retries;

public sealed class RetryTests(LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reports_about_every_kind_of_message_equal_the_official_clients()
    {
        var (preKeyMessage, message) = await MessagesAsync();
        foreach (var (ciphertext, type) in new[]
                 {
                     (preKeyMessage, CiphertextType.PreKeyMessage),
                     (message, CiphertextType.Message),
                     (new byte[] { 0x33 }, CiphertextType.SenderKeyMessage),
                 })
        {
            var theirs = await peer.CallAsync(
                "decryptionError", new { ciphertext, type, timestamp = 1_700_000_000_000L, device = 9 }, Ct);

            var ours = DecryptionErrorMessage.ForOriginal(ciphertext, type, 1_700_000_000_000, 9);
            var wrapped = await peer.CallAsync("plaintextContent", new { message = ours.Serialize() }, Ct);

            Assert.Equal(theirs.Bytes("message"), ours.Serialize());
            Assert.Equal(wrapped.Bytes("content"), PlaintextContent.Serialize(ours));
        }
    }

    [Fact]
    public async Task A_report_of_the_official_client_is_read()
    {
        var (_, message) = await MessagesAsync();
        var made = await peer.CallAsync(
            "decryptionError", new { ciphertext = message, type = CiphertextType.Message, timestamp = 77, device = 3 }, Ct);
        var wrapped = await peer.CallAsync("plaintextContent", new { message = made.Bytes("message") }, Ct);
        var official = await peer.CallAsync("parseDecryptionError", new { message = made.Bytes("message") }, Ct);

        var report = PlaintextContent.Parse(wrapped.Bytes("content"));

        Assert.Equal((77UL, 3U), (report.Timestamp, report.DeviceId));
        Assert.Equal(official.Bytes("ratchetKey"), report.RatchetKey!.Serialize());
    }

    [Fact]
    public void A_report_about_a_message_that_is_not_encrypted_makes_no_sense() => Assert.Equal(
        SignalError.InvalidMessage,
        Assert.Throws<SignalException>(() => DecryptionErrorMessage.ForOriginal(
            [0xC0, 0x80], CiphertextType.PlaintextContent, 1, 1)).Error);

    [Theory]
    [InlineData("")]
    [InlineData("c0")]
    [InlineData("c080")]
    [InlineData("c0420080")]
    [InlineData("c042041801108")]
    [InlineData("c1420410011801" + "80")]
    [InlineData("c0420410011801")]
    [InlineData("c04203100118" + "80")]
    public void What_is_no_report_is_refused(string hex)
    {
        var bytes = Convert.FromHexString(hex.Length % 2 == 0 ? hex : hex + "0");

        Assert.Equal(
            SignalError.InvalidMessage, Assert.Throws<SignalException>(() => PlaintextContent.Parse(bytes)).Error);
    }

    [Fact]
    public void Padding_after_the_boundary_is_ignored()
    {
        var report = DecryptionErrorMessage.ForOriginal([0x33], CiphertextType.SenderKeyMessage, 5, 6);

        var parsed = PlaintextContent.Parse([.. PlaintextContent.Serialize(report), .. new byte[100]]);

        Assert.Equal((5UL, 6U, null), (parsed.Timestamp, parsed.DeviceId, parsed.RatchetKey));
    }

    [Fact]
    public async Task Damaged_messages_and_reports_never_do_more_than_be_refused()
    {
        var (preKeyMessage, message) = await MessagesAsync();
        var report = PlaintextContent.Serialize(
            DecryptionErrorMessage.ForOriginal(message, CiphertextType.Message, 5, 6));

        foreach (var error in Bits.Flips(report).Concat(Bits.Prefixes(report)).Select(bytes =>
                     Record.Exception(() => PlaintextContent.Parse(bytes)))
                     .Concat(Bits.Flips(message).Concat(Bits.Prefixes(message)).Select(bytes => Record.Exception(
                         () => DecryptionErrorMessage.ForOriginal(bytes, CiphertextType.Message, 1, 1))))
                     .Concat(Bits.Prefixes(preKeyMessage).Select(bytes => Record.Exception(
                         () => DecryptionErrorMessage.ForOriginal(bytes, CiphertextType.PreKeyMessage, 1, 1)))))
        {
            Assert.True(error is null or SignalException, error?.ToString());
        }
    }

    private async Task<(byte[] PreKeyMessage, byte[] Message)> MessagesAsync()
    {
        var alice = await peer.PartyAsync(Guid.CreateVersion7().ToString(), 1, Ct);
        var bob = await peer.PartyAsync(Guid.CreateVersion7().ToString(), 1, Ct);
        await alice.ProcessBundleAsync(bob.Address, (await bob.PreKeysAsync(1, 1, 1, Ct)).Bundle(oneTime: true), Ct);
        var hello = await alice.EncryptAsync(bob.Address, [1], Ct);
        await bob.DecryptAsync(alice.Address, hello.Type, hello.Ciphertext, Ct);
        return (hello.Ciphertext, (await bob.EncryptAsync(alice.Address, [2], Ct)).Ciphertext);
    }
}
