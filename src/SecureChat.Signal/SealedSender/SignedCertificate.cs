using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.SealedSender;

/// <summary>The form that both certificates share: {1: content, 2: signature over the content as it stands}.</summary>
internal sealed class SignedCertificate
{
    private readonly byte[] _content;
    private readonly byte[] _signature;

    private SignedCertificate(byte[] content, byte[] signature) => (_content, _signature) = (content, signature);

    public ReadOnlySpan<byte> Content => _content;

    public static byte[] Sign(byte[] content, PrivateKey signer, RandomSource random) =>
        new ProtoWriter().Bytes(1, content).Bytes(2, signer.Sign(content, random)).ToArray();

    public static SignedCertificate Parse(ReadOnlySpan<byte> serialized)
    {
        var reader = new ProtoReader(serialized);
        byte[]? content = null;
        byte[]? signature = null;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    content = reader.Bytes().ToArray();
                    break;
                case 2:
                    signature = reader.Bytes().ToArray();
                    break;
            }
        }

        return reader.IsValid && content is not null && signature?.Length == XEdDsa.SignatureSize
            ? new SignedCertificate(content, signature)
            : throw Malformed();
    }

    public bool IsSignedBy(PublicKey signer) => signer.Verify(_content, _signature);

    public static SignalException Malformed() => new(SignalError.InvalidCertificate, "The certificate is malformed.");
}
