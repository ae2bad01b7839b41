using System.Buffers.Text;
using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Client.Connection;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Groups;

/// <summary>What an invite link stands for: it shows the group and carries requests to join. Spec: docs/protocol/groups.md#invite-links.</summary>
internal sealed class GroupInvite : IDisposable
{
    /// <summary>Bytes of a link's secret.</summary>
    public const int Size = 32;

    private const string Scheme = "securechat://group/#";
    private const byte Version = 1;
    private const int MaxPicture = 3 * 1024;
    private const int RequestSize = 1024;

    private readonly byte[] _secret;
    private readonly GroupSecret _preview;

    public GroupInvite(ReadOnlySpan<byte> secret)
    {
        _secret = secret.ToArray();
        _preview = Derived(_secret, "secureChat invite link preview v1"u8);
    }

    /// <summary>The link: whoever has it may ask to join.</summary>
    public string Link => Scheme + Base64Url.EncodeToString([Version, .. _secret]);

    /// <exception cref="FormatException">It is no invite link.</exception>
    public static GroupInvite Parse(string link)
    {
        ArgumentNullException.ThrowIfNull(link);
        var bytes = new byte[1 + Size];
        var text = link.AsSpan().Trim();
        return text.StartsWith(Scheme, StringComparison.Ordinal) && text.Length - Scheme.Length == Base64Url.GetEncodedLength(bytes.Length)
            && Base64Url.TryDecodeFromChars(text[Scheme.Length..], bytes, out var written) && written == bytes.Length && bytes[0] == Version
            ? new GroupInvite(bytes.AsSpan(1))
            : throw new FormatException("This is not the invite link of a group.");
    }

    /// <summary>What signs requests about the link; the caller disposes it.</summary>
    public PrivateKey RequestKey() => SignedRequests.KeyOf(_secret, "secureChat invite link key v1"u8);

    /// <summary>What the link shows of a state.</summary>
    /// <param name="secret">The group's, from which the key follows that requests are encrypted to.</param>
    public byte[] Preview(GroupVersion state, ReadOnlySpan<byte> secret)
    {
        using var joinKey = JoinKey(secret);
        var shown = new GroupInvitation
        {
            Group = state.Group,
            Name = state.Name,
            Picture = state.Picture.Length <= MaxPicture ? state.Picture : ByteString.Empty,
            JoinKey = ByteString.CopyFrom(joinKey.PublicKey.Serialize()),
        };
        return _preview.Encrypt(shown.ToByteArray(), [], 0, (Limits.MaxJoinBytes, Limits.MaxJoinBytes), RandomSource.System);
    }

    /// <summary>Reads what the link shows; null: the server has made it up.</summary>
    public GroupInvitation? Read(byte[] preview)
    {
        try
        {
            return _preview.Decrypt(preview, [], 0) is { } plaintext
                && GroupInvitation.Parser.ParseFrom(plaintext) is { Group.Length: GroupRules.IdSize } shown
                && PublicKey.TryParse(shown.JoinKey.Span, out _)
                ? shown
                : null;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    /// <summary>Encrypts a request to the members, signed by whoever asks.</summary>
    public byte[] Ask(GroupInvitation shown, GroupApplication request, PrivateKey identity)
    {
        var bytes = request.ToByteString();
        var signed = new SignedGroupApplication
        {
            Application = bytes,
            Signature = ByteString.CopyFrom(identity.Sign(Signed(shown.Group, bytes), RandomSource.System)),
        };
        using var ephemeral = PrivateKey.Generate(RandomSource.System);
        using var cipher = Agreed(ephemeral, PublicKey.Parse(shown.JoinKey.Span), ephemeral.PublicKey);
        return
        [
            .. ephemeral.PublicKey.Serialize(),
            .. cipher.Encrypt(signed.ToByteArray(), shown.Group.Span, 0, (RequestSize, RequestSize), RandomSource.System),
        ];
    }

    /// <summary>Reads a request; null: not for this link and this group, or not by whom it names.</summary>
    /// <param name="secret">The group's.</param>
    public GroupApplication? ReadRequest(ByteString group, ReadOnlySpan<byte> secret, byte[] request)
    {
        const int keySize = 33;
        if (request.Length <= keySize || !PublicKey.TryParse(request.AsSpan(0, keySize), out var ephemeral))
        {
            return null;
        }

        try
        {
            using var joinKey = JoinKey(secret);
            using var cipher = Agreed(joinKey, ephemeral, ephemeral);
            return cipher.Decrypt(request.AsSpan(keySize), group.Span, 0) is { } plaintext
                && SignedGroupApplication.Parser.ParseFrom(plaintext) is { } signed
                && GroupApplication.Parser.ParseFrom(signed.Application) is { Account.Length: 16, ProfileKey.Length: 32 } asked
                && PublicKey.TryParse(asked.IdentityKey.Span, out var identity)
                && identity.Verify(Signed(group, signed.Application), signed.Signature.Span)
                ? asked
                : null;
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or SignalException)
        {
            return null;
        }
    }

    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(GroupInvite);

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_secret);
        _preview.Dispose();
    }

    // Of this link: a request that was meant for an earlier one is worth nothing.
    private byte[] Signed(ByteString group, ByteString request)
    {
        using var key = RequestKey();
        return [.. "secureChat group join request v1"u8, .. group.Span, .. key.PublicKey.Serialize(), .. request.Span];
    }

    private static PrivateKey JoinKey(ReadOnlySpan<byte> secret) => SignedRequests.KeyOf(secret, "secureChat group join key v1"u8);

    private static GroupSecret Agreed(PrivateKey own, PublicKey other, PublicKey ephemeral)
    {
        var agreed = own.Agree(other);
        var cipher = Derived(agreed, [.. "secureChat group join request v1"u8, .. ephemeral.Serialize()]);
        CryptographicOperations.ZeroMemory(agreed);
        return cipher;
    }

    private static GroupSecret Derived(ReadOnlySpan<byte> secret, ReadOnlySpan<byte> purpose)
    {
        Span<byte> derived = stackalloc byte[GroupSecret.Size];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, derived, [], purpose);
        var made = new GroupSecret(derived);
        CryptographicOperations.ZeroMemory(derived);
        return made;
    }
}
