using System.Security.Cryptography;

namespace SecureChat.Signal.Wire;

/// <summary>Bytes that are appended to, with secrets among them: growing leaves no half-written copy behind.</summary>
internal sealed class ErasableBuffer(int capacity)
{
    private byte[] _bytes = new byte[capacity];
    private int _size;

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _size);

    /// <summary>Room for so many bytes more, to be filled by the caller.</summary>
    public Span<byte> Append(int size)
    {
        if (_bytes.Length - _size < size)
        {
            var larger = new byte[Math.Max(2 * _bytes.Length, _size + size)];
            Written.CopyTo(larger);
            CryptographicOperations.ZeroMemory(_bytes);
            _bytes = larger;
        }

        var room = _bytes.AsSpan(_size, size);
        _size += size;
        return room;
    }

    public void Append(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Append(bytes.Length));

    /// <summary>What was written; the buffer's own copy is erased.</summary>
    public byte[] ToArrayAndErase()
    {
        var written = Written.ToArray();
        Erase();
        return written;
    }

    public void Erase()
    {
        CryptographicOperations.ZeroMemory(_bytes);
        _size = 0;
    }
}
