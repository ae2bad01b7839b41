using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Groups;

/// <summary>
/// Gives the members of a group the sender's key for it, from the current message on. It is sent to each of them in their
/// session, never in the open. docs/protocol/sender-keys.md#distribution. Disposing it erases the key.
/// </summary>
public sealed class SenderKeyDistributionMessage : IDisposable
{
    internal const int ChainKeySize = 32;
    private readonly byte[] _serialized;

    private SenderKeyDistributionMessage(
        byte[] serialized, Guid distributionId, uint chainId, uint iteration, byte[] chainKey, PublicKey signingKey)
    {
        _serialized = serialized;
        (DistributionId, ChainId, Iteration, ChainKey, SigningKey) =
            (distributionId, chainId, iteration, chainKey, signingKey);
    }

    /// <summary>What the key is for: chosen by the sender for each group, and again when somebody leaves.</summary>
    public Guid DistributionId { get; }

    /// <summary>Tells the sender's keys of one distribution apart.</summary>
    internal uint ChainId { get; }

    /// <summary>The message from which on the key serves.</summary>
    internal uint Iteration { get; }

    internal byte[] ChainKey { get; }

    internal PublicKey SigningKey { get; }

    internal static SenderKeyDistributionMessage Create(
        Guid distributionId, uint chainId, uint iteration, ReadOnlySpan<byte> chainKey, PublicKey signingKey)
    {
        var fields = new ProtoWriter()
            .Bytes(1, distributionId.ToByteArray(bigEndian: true))
            .UInt(2, chainId)
            .UInt(3, iteration)
            .Bytes(4, chainKey)
            .Bytes(5, signingKey.Serialized);
        byte[] serialized = [SenderKeyMessage.VersionByte, .. fields.Written];
        fields.Erase();
        return new SenderKeyDistributionMessage(serialized, distributionId, chainId, iteration, chainKey.ToArray(), signingKey);
    }

    /// <summary>Reads a message.</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.InvalidMessage"/>, or <see cref="SignalError.LegacyVersion"/> and
    /// <see cref="SignalError.UnknownVersion"/> for versions before and after the one that exists.
    /// </exception>
    public static SenderKeyDistributionMessage Parse(ReadOnlySpan<byte> serialized)
    {
        SenderKeyMessage.RequireVersion(serialized);
        var reader = new ProtoReader(serialized[1..]);
        Guid? distributionId = null;
        uint? chainId = null;
        uint? iteration = null;
        ReadOnlySpan<byte> chainKey = [];
        PublicKey? signingKey = null;
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
                    chainKey = reader.Bytes();
                    break;
                case 5:
                    signingKey = PublicKey.ParseOrNull(reader.Bytes());
                    break;
            }
        }

        return reader.IsValid && distributionId is { } distribution && chainId is { } chain && iteration is { } at
            && chainKey.Length == ChainKeySize && signingKey is not null
            ? new SenderKeyDistributionMessage(serialized.ToArray(), distribution, chain, at, chainKey.ToArray(), signingKey)
            : throw SenderKeyMessage.Malformed();
    }

    /// <summary>The message as bytes. Contains the key.</summary>
    public byte[] Serialize() => [.. _serialized];

    /// <summary>Never the key.</summary>
    public override string ToString() => nameof(SenderKeyDistributionMessage);

    /// <inheritdoc/>
    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_serialized);
        CryptographicOperations.ZeroMemory(ChainKey);
    }
}
