using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace SecureChat.Server.Abuse;

/// <summary>Names for actors that say nothing to whoever has no key, and that end with the day.</summary>
internal sealed class ActorNames(byte[] secret, TimeProvider time)
{
    private Keys _keys = new(-1, [], []);

    public ActorName Today(Detector detector, ReadOnlySpan<byte> actor) => Name(Current.Today, detector, actor);

    /// <summary>The name of the day before: what was done then still counts until it has decayed.</summary>
    public ActorName Yesterday(Detector detector, ReadOnlySpan<byte> actor) => Name(Current.Yesterday, detector, actor);

    /// <summary>A value for one actor's sketch: sketches of two actors have nothing in common.</summary>
    public ulong Value(in ActorName actor, ReadOnlySpan<byte> value)
    {
        Span<byte> message = stackalloc byte[16 + value.Length];
        BinaryPrimitives.WriteUInt128BigEndian(message, actor.Hash);
        value.CopyTo(message[16..]);
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(Current.Today, message, hash);
        return BinaryPrimitives.ReadUInt64BigEndian(hash);
    }

    private Keys Current
    {
        get
        {
            var day = (int)(time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalDays;
            var keys = Volatile.Read(ref _keys);
            if (keys.Day != day)
            {
                keys = new Keys(day, KeyOf(day), KeyOf(day - 1));
                Volatile.Write(ref _keys, keys);
            }

            return keys;
        }
    }

    private byte[] KeyOf(int day)
    {
        Span<byte> message = stackalloc byte[14];
        "anomalies:"u8.CopyTo(message);
        BinaryPrimitives.WriteInt32BigEndian(message[10..], day);
        return HMACSHA256.HashData(secret, message);
    }

    private static ActorName Name(byte[] key, Detector detector, ReadOnlySpan<byte> actor)
    {
        Span<byte> message = stackalloc byte[detector.NameBytes.Length + actor.Length];
        detector.NameBytes.CopyTo(message);
        actor.CopyTo(message[detector.NameBytes.Length..]);
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, message, hash);
        return new(detector, BinaryPrimitives.ReadUInt128BigEndian(hash));
    }

    private sealed record Keys(int Day, byte[] Today, byte[] Yesterday);
}

/// <summary>An actor as one detector knows it.</summary>
internal readonly record struct ActorName(Detector Detector, UInt128 Hash)
{
    public override string ToString() => Hash.ToString("x32", CultureInfo.InvariantCulture);
}
