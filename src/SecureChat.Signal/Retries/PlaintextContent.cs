using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Retries;

/// <summary>
/// The one content that travels without encryption of its own, because there may be no session to encrypt it in: a
/// <see cref="DecryptionErrorMessage"/>. docs/protocol/retries.md.
/// </summary>
/// <remarks>Nothing in it may be trusted beyond what it is for; a sealed envelope around it at least proves its sender.</remarks>
public static class PlaintextContent
{
    private const byte Identifier = 0xC0;
    private const byte PaddingBoundary = 0x80;
    private const int ReportField = 8;

    /// <summary>Wraps a report: C0, the content, 80.</summary>
    public static byte[] Serialize(DecryptionErrorMessage report)
    {
        ArgumentNullException.ThrowIfNull(report);
        return [Identifier, .. new ProtoWriter().Bytes(ReportField, report.Serialize()).Written, PaddingBoundary];
    }

    /// <summary>Reads the report out.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidMessage"/>.</exception>
    public static DecryptionErrorMessage Parse(ReadOnlySpan<byte> serialized)
    {
        // Padding is any number of zeros after the boundary.
        var content = serialized.TrimEnd((byte)0);
        if (content.Length < 2 || content[0] != Identifier || content[^1] != PaddingBoundary)
        {
            throw DecryptionErrorMessage.Malformed();
        }

        var reader = new ProtoReader(content[1..^1]);
        DecryptionErrorMessage? report = null;
        while (reader.Next())
        {
            if (reader.Field == ReportField)
            {
                report = DecryptionErrorMessage.Parse(reader.Bytes());
            }
        }

        return reader.IsValid && report is not null ? report : throw DecryptionErrorMessage.Malformed();
    }
}
