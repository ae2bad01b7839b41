namespace SecureChat.Fuzz.Targets;

/// <summary>Every target by its name, which is also the name of its corpus.</summary>
/// <remarks>
/// A target that reads several formats tells them apart by the first byte, so that inputs of one format can also be tried on
/// its relatives.
/// </remarks>
internal static class FuzzTargets
{
    public static IReadOnlyDictionary<string, FuzzTarget> All { get; } = new SortedDictionary<string, FuzzTarget>(StringComparer.Ordinal)
    {
        ["bundles"] = BundleTarget.Run,
        ["certificates"] = CertificateTarget.Run,
        ["fingerprints"] = FingerprintTarget.Run,
        ["frames"] = FrameTarget.Run,
        ["group-state"] = GroupStateTarget.Run,
        ["media"] = MediaTarget.Run,
        ["messages"] = MessageTarget.Run,
        ["multi-recipient"] = MultiRecipientTarget.Run,
        ["provisioning"] = ProvisioningTarget.Run,
        ["sealed-sender"] = SealedSenderTarget.Run,
        ["sender-keys"] = SenderKeyTarget.Run,
        ["sessions"] = SessionTarget.Run,
        ["spqr"] = SpqrTarget.Run,
        ["usernames"] = UsernameTarget.Run,
    };

    /// <summary>One of the formats of a target, by the first byte; the rest is the input.</summary>
    public static void Choose(ReadOnlySpan<byte> input, params ReadOnlySpan<FuzzTarget> formats)
    {
        if (!input.IsEmpty)
        {
            formats[input[0] % formats.Length](input[1..]);
        }
    }

    /// <summary>Takes a part of the input: two bytes of length, then the part, which may be shorter.</summary>
    public static ReadOnlySpan<byte> Part(ref ReadOnlySpan<byte> input)
    {
        if (input.Length < 2)
        {
            input = [];
            return [];
        }

        var size = Math.Min((input[0] << 8) | input[1], input.Length - 2);
        var part = input.Slice(2, size);
        input = input[(2 + size)..];
        return part;
    }
}
