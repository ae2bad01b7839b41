using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace SecureChat.Scenarios.Turn;

/// <summary>A message of STUN and TURN (RFC 8489, RFC 8656), as far as a client that attacks needs them.</summary>
internal sealed class StunMessage(ushort type, byte[] transaction)
{
    public const int HeaderSize = 20;
    private const uint Cookie = 0x2112A442;
    private readonly List<(StunAttribute Type, byte[] Value)> _attributes = [];

    public ushort Type => type;

    /// <summary>12 bytes that the answer repeats.</summary>
    public byte[] Transaction => transaction;

    /// <summary>0 when it is no refusal.</summary>
    public int ErrorCode => Find(StunAttribute.ErrorCode) is { } error ? (error[2] * 100) + error[3] : 0;

    public static StunMessage Request(TurnMethod method) => new((ushort)method, RandomNumberGenerator.GetBytes(12));

    public static StunMessage Indication(TurnMethod method) => new((ushort)((int)method | 0x10), RandomNumberGenerator.GetBytes(12));

    public StunMessage With(StunAttribute attribute, byte[] value)
    {
        _attributes.Add((attribute, value));
        return this;
    }

    public StunMessage With(StunAttribute attribute, string value) => With(attribute, Encoding.UTF8.GetBytes(value));

    public StunMessage WithPeer(IPEndPoint peer)
    {
        var address = peer.Address.GetAddressBytes();
        var value = new byte[4 + address.Length];
        value[1] = (byte)(address.Length is 4 ? 1 : 2);
        BinaryPrimitives.WriteUInt16BigEndian(value.AsSpan(2), (ushort)(peer.Port ^ (Cookie >> 16)));
        Mask(address).CopyTo(value, 4);
        return With(StunAttribute.XorPeerAddress, value);
    }

    public byte[]? Find(StunAttribute attribute) => _attributes.FirstOrDefault(found => found.Type == attribute).Value;

    public IPEndPoint Address(StunAttribute attribute)
    {
        var value = Find(attribute)!;
        var port = BinaryPrimitives.ReadUInt16BigEndian(value.AsSpan(2)) ^ (Cookie >> 16);
        return new IPEndPoint(new IPAddress(Mask(value[4..])), (int)port);
    }

    /// <param name="key">Of the long-term credential mechanism; null for a message that proves nothing.</param>
    [SuppressMessage("Security", "CA5350", Justification = "The integrity of STUN is HMAC-SHA1.")]
    public byte[] Write(byte[]? key)
    {
        var bytes = new List<byte>(new byte[HeaderSize]);
        _attributes.ForEach(attribute => Append(bytes, attribute.Type, attribute.Value));
        if (key is not null)
        {
            Append(bytes, StunAttribute.MessageIntegrity, HMACSHA1.HashData(key, Headed(bytes, 4 + HMACSHA1.HashSizeInBytes)));
        }

        return Headed(bytes, 0);
    }

    public static StunMessage Read(byte[] bytes)
    {
        var message = new StunMessage(BinaryPrimitives.ReadUInt16BigEndian(bytes), bytes[8..HeaderSize]);
        for (var at = HeaderSize; at < bytes.Length;)
        {
            var length = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at + 2));
            message.With((StunAttribute)BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at)), bytes[(at + 4)..(at + 4 + length)]);
            at += 4 + Padded(length);
        }

        return message;
    }

    public static int Padded(int length) => (length + 3) & ~3;

    private static void Append(List<byte> bytes, StunAttribute type, byte[] value)
    {
        Span<byte> head = stackalloc byte[4];
        BinaryPrimitives.WriteUInt16BigEndian(head, (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(head[2..], (ushort)value.Length);
        bytes.AddRange(head);
        bytes.AddRange(value);
        bytes.AddRange(new byte[Padded(value.Length) - value.Length]);
    }

    // The integrity covers a header that counts the integrity itself, which is yet to come.
    private byte[] Headed(List<byte> bytes, int more)
    {
        var whole = bytes.ToArray();
        BinaryPrimitives.WriteUInt16BigEndian(whole, type);
        BinaryPrimitives.WriteUInt16BigEndian(whole.AsSpan(2), (ushort)(whole.Length - HeaderSize + more));
        BinaryPrimitives.WriteUInt32BigEndian(whole.AsSpan(4), Cookie);
        transaction.CopyTo(whole, 8);
        return whole;
    }

    private byte[] Mask(byte[] address)
    {
        var mask = new byte[16];
        BinaryPrimitives.WriteUInt32BigEndian(mask, Cookie);
        transaction.CopyTo(mask, 4);
        return [.. address.Select((part, i) => (byte)(part ^ mask[i]))];
    }
}

/// <summary>Methods of STUN and TURN.</summary>
internal enum TurnMethod
{
    Binding = 1,
    Allocate = 3,
    Refresh = 4,
    Send = 6,
    CreatePermission = 8,
    ChannelBind = 9,
}

/// <summary>Attributes of STUN and TURN.</summary>
internal enum StunAttribute
{
    Username = 0x06,
    MessageIntegrity = 0x08,
    ErrorCode = 0x09,
    ChannelNumber = 0x0C,
    Lifetime = 0x0D,
    XorPeerAddress = 0x12,
    Data = 0x13,
    Realm = 0x14,
    Nonce = 0x15,
    XorRelayedAddress = 0x16,
    RequestedAddressFamily = 0x17,
    RequestedTransport = 0x19,
}
