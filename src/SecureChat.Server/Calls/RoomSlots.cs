using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Calls;

/// <summary>Who is in which room, for all nodes: as many slots per room as it may have peers.</summary>
/// <remarks>
/// Key in the hot store: <c>room:name:slot</c> holds the peer's number (4 bytes) and its node's (8, random at the node's start), until
/// its life ends or the node renews it. Only an empty slot is taken, so no race lets in one peer too many.
/// </remarks>
internal sealed class RoomSlots(IHotStore hot)
{
    /// <summary>A peer whose node died is gone after this.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromSeconds(45);

    /// <summary>The room's name; says nothing about the capability that leads to it.</summary>
    public static string NameOf(ReadOnlySpan<byte> capability)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData([.. "securechat room"u8, .. capability], hash);
        return Base64Url.EncodeToString(hash[..16]);
    }

    /// <summary>The peer in each slot, or null.</summary>
    public async Task<RoomPeer?[]> ReadAsync(string room, CancellationToken ct)
    {
        var values = await Task.WhenAll(Enumerable.Range(0, Limits.MaxRoomPeers).Select(slot => hot.GetAsync(Key(room, slot), ct)));
        return [.. values.Select(value => value is null ? (RoomPeer?)null : Read(value))];
    }

    /// <summary>Takes a free slot; null: there is none.</summary>
    public async Task<int?> TakeAsync(string room, RoomPeer peer, CancellationToken ct)
    {
        var first = RandomNumberGenerator.GetInt32(Limits.MaxRoomPeers);
        for (var i = 0; i < Limits.MaxRoomPeers; i++)
        {
            var slot = (first + i) % Limits.MaxRoomPeers;
            if (await hot.AddAsync(Key(room, slot), Write(peer), Life, ct))
            {
                return slot;
            }
        }

        return null;
    }

    /// <summary>Keeps a peer's slot for another life. A slot that was lost is taken anew, or another one; null: the room is full without it.</summary>
    /// <param name="holder">Who was in the slot a moment ago.</param>
    public async Task<int?> RenewAsync(string room, int slot, RoomPeer? holder, RoomPeer peer, CancellationToken ct)
    {
        if (holder != peer)
        {
            return await TakeAsync(room, peer, ct);
        }

        await hot.SetAsync(Key(room, slot), Write(peer), Life, ct);
        return slot;
    }

    public Task FreeAsync(string room, int slot, RoomPeer peer, CancellationToken ct) => hot.RemoveIfAsync(Key(room, slot), Write(peer), ct);

    private static string Key(string room, int slot) => $"{HotKeys.Room}:{room}:{slot}";

    private static byte[] Write(RoomPeer peer)
    {
        var value = new byte[RoomPeer.Bytes];
        peer.Write(value);
        return value;
    }

    // A node of another version may write more behind.
    private static RoomPeer? Read(ReadOnlySpan<byte> value) => value.Length >= RoomPeer.Bytes ? RoomPeer.Read(value) : null;
}

/// <summary>A peer of a room and the node that holds its socket.</summary>
internal readonly record struct RoomPeer(uint Number, ulong Node)
{
    public const int Bytes = sizeof(uint) + sizeof(ulong);

    public static RoomPeer Read(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt32BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[sizeof(uint)..]));

    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes, Number);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[sizeof(uint)..], Node);
    }
}
