using System.Buffers.Binary;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Spqr;

/// <summary>Writes a stored state: fixed-size fields in a fixed order, numbers big-endian. Local, never on the wire.</summary>
internal sealed class SpqrWriter
{
    private readonly ErasableBuffer _buffer = new(4096);

    /// <summary>What was written; the writer's own copy is erased.</summary>
    public byte[] ToArrayAndErase() => _buffer.ToArrayAndErase();

    public void Byte(byte value) => _buffer.Append([value]);

    public void UInt16(ushort value) => BinaryPrimitives.WriteUInt16BigEndian(_buffer.Append(sizeof(ushort)), value);

    public void UInt32(uint value) => BinaryPrimitives.WriteUInt32BigEndian(_buffer.Append(sizeof(uint)), value);

    public void UInt64(ulong value) => BinaryPrimitives.WriteUInt64BigEndian(_buffer.Append(sizeof(ulong)), value);

    public void Bytes(ReadOnlySpan<byte> value) => _buffer.Append(value);

    public void Encoder(ChunkEncoder encoder)
    {
        UInt16(encoder.Position);
        Bytes(encoder.Message);
    }

    public void Decoder(ChunkDecoder decoder)
    {
        Byte((byte)decoder.Positions.Length);
        foreach (var position in decoder.Positions)
        {
            UInt16(position);
        }

        Bytes(decoder.Chunks);
    }
}

/// <summary>Reads a stored state. After the first violation every read gives zeros, and <see cref="IsValid"/> is false.</summary>
internal ref struct SpqrReader(ReadOnlySpan<byte> bytes)
{
    /// <summary>Epochs beyond this are not reached by any session; a bound keeps their arithmetic safe.</summary>
    private const ulong MaxEpoch = 1UL << 48;

    private ReadOnlySpan<byte> _rest = bytes;

    public bool IsValid { get; private set; } = true;

    /// <summary>Whether all was valid and nothing is left.</summary>
    public readonly bool IsComplete => IsValid && _rest.IsEmpty;

    public void Require(bool condition) => IsValid &= condition;

    public byte Byte() => Take(1)[0];

    public ushort UInt16() => BinaryPrimitives.ReadUInt16BigEndian(Take(sizeof(ushort)));

    public uint UInt32() => BinaryPrimitives.ReadUInt32BigEndian(Take(sizeof(uint)));

    public ulong Epoch()
    {
        var epoch = BinaryPrimitives.ReadUInt64BigEndian(Take(sizeof(ulong)));
        Require(epoch <= MaxEpoch);
        return IsValid ? epoch : 0;
    }

    public byte[] Bytes(int size) => Take(size).ToArray();

    public ChunkEncoder Encoder(int messageSize)
    {
        var position = UInt16();
        return new ChunkEncoder(Bytes(messageSize), position);
    }

    /// <summary>A decoder that still waits: a complete one is never stored.</summary>
    public ChunkDecoder Decoder(int messageSize)
    {
        var decoder = ChunkDecoder.For(messageSize);
        var count = Byte();
        Require(count < messageSize / ErasureCode.ChunkSize);
        if (!IsValid)
        {
            return decoder;
        }

        var positions = new ushort[count];
        for (var i = 0; i < count; i++)
        {
            positions[i] = UInt16();
        }

        foreach (var position in positions)
        {
            decoder = decoder.Add(new Chunk(position, Bytes(ErasureCode.ChunkSize)));
        }

        Require(decoder.Positions.Length == count);
        return decoder;
    }

    private ReadOnlySpan<byte> Take(int size)
    {
        Require(_rest.Length >= size);
        if (!IsValid)
        {
            return new byte[size];
        }

        var taken = _rest[..size];
        _rest = _rest[size..];
        return taken;
    }
}
