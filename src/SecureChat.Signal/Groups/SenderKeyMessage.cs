using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Groups;

/// <summary>A message to a group: encrypted once, under the sender's key, and signed. docs/protocol/sender-keys.md.</summary>
internal sealed class SenderKeyMessage
{
    /// <summary>The only version, in both halves of the first byte.</summary>
    public const byte VersionByte = 0x33;

    private readonly byte[] _signed;
    private readonly byte[] _signature;

    private SenderKeyMessage(byte[] signed, byte[] signature, Guid distributionId, uint chainId, uint iteration, byte[] body)
    {
        (_signed, _signature) = (signed, signature);
        (DistributionId, ChainId, Iteration, Ciphertext) = (distributionId, chainId, iteration, body);
    }

    public Guid DistributionId { get; }

    public uint ChainId { get; }

    public uint Iteration { get; }

    public byte[] Ciphertext { get; }

    public static byte[] Create(
        Guid distributionId, uint chainId, uint iteration, byte[] ciphertext, PrivateKey signer, RandomSource random)
    {
        byte[] signed =
        [
            VersionByte,
            .. new ProtoWriter()
                .Bytes(1, distributionId.ToByteArray(bigEndian: true))
                .UInt(2, chainId)
                .UInt(3, iteration)
                .Bytes(4, ciphertext)
                .Written,
        ];
        return [.. signed, .. signer.Sign(signed, random)];
    }

    public static SenderKeyMessage Parse(ReadOnlySpan<byte> serialized)
    {
        RequireVersion(serialized);
        if (serialized.Length < 1 + XEdDsa.SignatureSize)
        {
            throw Malformed();
        }

        var signed = serialized[..^XEdDsa.SignatureSize];
        var reader = new ProtoReader(signed[1..]);
        Guid? distributionId = null;
        uint? chainId = null;
        uint? iteration = null;
        byte[]? ciphertext = null;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1 when reader.Bytes() is { Length: 16 } uuid:
                    distributionId = new Guid(uuid, bigEndian: true);
                    break;
                case 2:
                    chainId = reader.UInt32();
                    break;
                case 3:
                    iteration = reader.UInt32();
                    break;
                case 4:
                    ciphertext = reader.Bytes().ToArray();
                    break;
            }
        }

        return reader.IsValid && distributionId is { } distribution && chainId is { } chain && iteration is { } at
            && ciphertext is not null
            ? new SenderKeyMessage(
                signed.ToArray(), serialized[^XEdDsa.SignatureSize..].ToArray(), distribution, chain, at, ciphertext)
            : throw Malformed();
    }

    public bool IsSignedBy(PublicKey signer) => signer.Verify(_signed, _signature);

    /// <summary>Refuses what is not of the one version that exists.</summary>
    public static void RequireVersion(ReadOnlySpan<byte> serialized)
    {
        if (serialized.IsEmpty)
        {
            throw Malformed();
        }

        var version = serialized[0] >> 4;
        if (version != VersionByte >> 4)
        {
            throw version < VersionByte >> 4
                ? new SignalException(SignalError.LegacyVersion, "The version of the group message is too old.")
                : new SignalException(SignalError.UnknownVersion, "The version of the group message is not known.");
        }

        if (serialized[0] != VersionByte)
        {
            throw Malformed();
        }
    }

    public static SignalException Malformed() => new(SignalError.InvalidMessage, "The group message is malformed.");
}
