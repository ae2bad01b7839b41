using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Fingerprints;

/// <summary>The content of a scanned code: {1: version, 2: {1: local}, 3: {1: remote}}, each half 32 bytes.</summary>
internal static class ScannableFingerprint
{
    private const int HalfSize = 32;

    public static byte[] Serialize(uint version, ReadOnlySpan<byte> local, ReadOnlySpan<byte> remote) => new ProtoWriter()
        .UInt(1, version)
        .Bytes(2, new ProtoWriter().Bytes(1, local).Written)
        .Bytes(3, new ProtoWriter().Bytes(1, remote).Written)
        .ToArray();

    public static (uint Version, byte[] Local, byte[] Remote) Parse(ReadOnlySpan<byte> scanned)
    {
        var reader = new ProtoReader(scanned);
        uint? version = null;
        var (local, remote) = (Array.Empty<byte>(), Array.Empty<byte>());
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    version = reader.UInt32();
                    break;
                case 2:
                    local = Half(reader.Bytes());
                    break;
                case 3:
                    remote = Half(reader.Bytes());
                    break;
            }
        }

        return reader.IsValid && version is { } known && local.Length == HalfSize && remote.Length == HalfSize
            ? (known, local, remote)
            : throw new SignalException(SignalError.InvalidMessage, "The scanned code is not a fingerprint.");
    }

    private static byte[] Half(ReadOnlySpan<byte> message)
    {
        var reader = new ProtoReader(message);
        byte[] content = [];
        while (reader.Next())
        {
            if (reader.Field == 1)
            {
                content = reader.Bytes().ToArray();
            }
        }

        return reader.IsValid ? content : [];
    }
}
