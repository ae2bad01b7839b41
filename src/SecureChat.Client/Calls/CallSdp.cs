using System.Security.Cryptography;

namespace SecureChat.Client.Calls;

/// <summary>What a call's session descriptions must be, and are made to be. Spec: docs/protocol/calls.md#what-a-client-must-do.</summary>
public static class CallSdp
{
    /// <summary>SHA-256 of a DTLS certificate, in bytes.</summary>
    public const int FingerprintBytes = SHA256.HashSizeInBytes;

    /// <summary>Whether the description names this certificate and no other (T11).</summary>
    public static bool Names(string sdp, ReadOnlySpan<byte> fingerprint)
    {
        ArgumentNullException.ThrowIfNull(sdp);
        var isNamed = false;
        foreach (var line in Lines(sdp))
        {
            if (!line.StartsWith(FingerprintAttribute, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            if (Read(line[FingerprintAttribute.Length..]) is not { } named || !CryptographicOperations.FixedTimeEquals(named, fingerprint))
            {
                return false;
            }

            isNamed = true;
        }

        return isNamed && IsPlain(sdp);
    }

    /// <summary>Whether any candidate stands in it.</summary>
    public static bool HasCandidates(string sdp)
    {
        ArgumentNullException.ThrowIfNull(sdp);
        return Lines(sdp).Any(line => line.StartsWith(CandidateAttribute, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The same without candidates and audio levels, and with Opus at a constant bit rate that never pauses (M10, M11).</summary>
    public static string Harden(string sdp)
    {
        ArgumentNullException.ThrowIfNull(sdp);
        var lines = Lines(sdp).ToList();
        var opus = lines.Select(OpusPayload).OfType<string>().ToHashSet();
        var described = new HashSet<string>();
        var hardened = new List<string>();
        foreach (var line in lines)
        {
            if (line.StartsWith(CandidateAttribute, StringComparison.OrdinalIgnoreCase) || IsAudioLevel(line))
            {
                continue;
            }

            var payload = PayloadOf(line, FormatAttribute);
            if (payload is not null && opus.Contains(payload))
            {
                described.Add(payload);
                hardened.Add($"{FormatAttribute}{payload} {Constant(line[(FormatAttribute.Length + payload.Length)..])}");
            }
            else
            {
                hardened.Add(line);
            }
        }

        foreach (var payload in opus.Except(described))
        {
            hardened.Insert(hardened.FindIndex(line => OpusPayload(line) == payload) + 1, $"{FormatAttribute}{payload} {Constant("")}");
        }

        return string.Concat(hardened.Select(line => line + "\r\n"));
    }

    /// <summary>Whether a candidate is of a relay; the end of candidates counts as one.</summary>
    public static bool IsRelay(string candidate)
    {
        ArgumentNullException.ThrowIfNull(candidate);
        return candidate.Length is 0 || TypeOf(Words(candidate)) is "relay";
    }

    /// <summary>Whether a candidate names an address of the device's own network, not a name made up for it (mDNS).</summary>
    public static bool IsHostAddress(string candidate)
    {
        ArgumentNullException.ThrowIfNull(candidate);
        var words = Words(candidate);
        return TypeOf(words) is "host" && !(words.Length > AddressWord && words[AddressWord].EndsWith(".local", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The same without the address behind it: of a relay's, where its packets come from; of a reflexive one, what is inside of the network.</summary>
    public static string WithoutRelated(string candidate)
    {
        ArgumentNullException.ThrowIfNull(candidate);
        var words = Words(candidate);
        for (var i = AddressWord; i + 1 < words.Length; i++)
        {
            words[i + 1] = words[i] switch { "raddr" => "0.0.0.0", "rport" => "0", _ => words[i + 1] };
        }

        return string.Join(' ', words);
    }

    private static string[] Words(string candidate) => candidate.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static string? TypeOf(string[] words) =>
        Array.IndexOf(words, "typ") is >= 0 and var type && type + 1 < words.Length ? words[type + 1] : null;

    private static IEnumerable<string> Lines(string sdp) =>
        sdp.Split('\n').Select(line => line.TrimEnd('\r')).Where(line => line.Length > 0);

    // A return in the middle of a line would be one line to us and two to somebody else.
    private static bool IsPlain(string sdp) => !Lines(sdp).Any(line => line.Any(char.IsControl));

    private static byte[]? Read(string value)
    {
        if (value.Split(' ', StringSplitOptions.RemoveEmptyEntries) is not [var algorithm, var hex]
            || !algorithm.Equals("sha-256", StringComparison.OrdinalIgnoreCase) || hex.Length != (FingerprintBytes * 3) - 1)
        {
            return null;
        }

        try
        {
            return hex.Split(':') is { Length: FingerprintBytes } pairs && pairs.All(pair => pair.Length is 2)
                ? [.. pairs.Select(pair => Convert.FromHexString(pair)[0])]
                : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static string? OpusPayload(string line) =>
        PayloadOf(line, MapAttribute) is { } payload
            && line[(MapAttribute.Length + payload.Length)..].TrimStart().StartsWith("opus/", StringComparison.OrdinalIgnoreCase)
                ? payload
                : null;

    private static string? PayloadOf(string line, string attribute) =>
        line.StartsWith(attribute, StringComparison.Ordinal) ? line[attribute.Length..].Split(' ')[0] : null;

    private static string Constant(string parameters) => string.Join(';', parameters.Trim()
        .Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
        .Where(one => one.Split('=')[0].Trim().ToUpperInvariant() is not ("CBR" or "USEDTX"))
        .Concat(["cbr=1", "usedtx=0"]));

    private static bool IsAudioLevel(string line) =>
        line.StartsWith("a=extmap:", StringComparison.OrdinalIgnoreCase) && line.Contains("-audio-level", StringComparison.OrdinalIgnoreCase);

    // candidate:foundation component transport priority address …
    private const int AddressWord = 4;
    private const string FingerprintAttribute = "a=fingerprint:";
    private const string CandidateAttribute = "a=candidate:";
    private const string MapAttribute = "a=rtpmap:";
    private const string FormatAttribute = "a=fmtp:";
}
