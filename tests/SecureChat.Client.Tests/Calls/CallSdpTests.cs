using SecureChat.Client.Calls;

namespace SecureChat.Client.Tests.Calls;

public sealed class CallSdpTests
{
    private static readonly byte[] Mine = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];
    private static readonly string Line = $"a=fingerprint:sha-256 {CallDevice.Colons(Mine)}\r\n";

    public static TheoryData<string, string, bool> Descriptions => new()
    {
        { "once", Line, true },
        { "in every section", Line + "m=audio\r\n" + Line, true },
        { "in small letters", Line.ToLowerInvariant(), true },
        { "none", "v=0\r\n", false },
        { "a second one that differs", Line + Line.Replace("01:02", "01:03", StringComparison.Ordinal), false },
        { "differs, in capitals", Line + Line.Replace("01:02", "01:03", StringComparison.Ordinal).Replace("a=f", "A=F", StringComparison.Ordinal), false },
        { "of another algorithm", Line + "a=fingerprint:sha-1 00:11\r\n", false },
        { "cut short", Line[..^5] + "\r\n", false },
        { "no hexadecimal", Line.Replace("0A", "0G", StringComparison.Ordinal), false },
        { "hidden behind a return", Line + "a=x\ra=fingerprint:sha-256 00\r\n", false },
        { "hidden behind a zero", Line + "a=x\0a=fingerprint:sha-256 00\r\n", false },
    };

    [Theory, MemberData(nameof(Descriptions))]
    public void A_description_names_one_certificate_or_is_refused(string what, string sdp, bool isNamed) =>
        Assert.True(CallSdp.Names(sdp, Mine) == isNamed, what);

    [Fact]
    public void Hardening_makes_opus_constant_and_takes_away_levels_and_candidates_and_leaves_the_rest()
    {
        const string Sdp = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n"
            + "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
            + "a=extmap:2 urn:ietf:params:rtp-hdrext:csrc-audio-level vad=on\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
            + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\nm=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 OPUS/48000/2\r\n";

        var hardened = CallSdp.Harden(Sdp);

        Assert.Equal(
            "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1;cbr=1;usedtx=0\r\n"
            + "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
            + "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 OPUS/48000/2\r\na=fmtp:96 cbr=1;usedtx=0\r\n",
            hardened);
        Assert.Equal(hardened, CallSdp.Harden(hardened));
    }

    [Theory]
    [InlineData("candidate:2 1 udp 41885439 192.0.2.7 50001 typ relay raddr 0.0.0.0 rport 0", true)]
    [InlineData("", true)]
    [InlineData("candidate:1 1 udp 2122260223 203.0.113.9 50000 typ host", false)]
    [InlineData("candidate:1 1 udp 2122260223 203.0.113.9 50000 typ srflx raddr 10.0.0.1 rport 9 typ relay", false)]
    [InlineData("candidate:1 1 udp 2122260223 203.0.113.9 50000 relay", false)]
    public void A_relays_candidate_is_told_from_one_that_shows_an_address(string candidate, bool isRelay) =>
        Assert.Equal(isRelay, CallSdp.IsRelay(candidate));
}
