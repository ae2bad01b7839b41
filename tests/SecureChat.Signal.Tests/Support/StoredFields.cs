using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.Support;

/// <summary>Stored messages with something done to one of their fields.</summary>
internal static class StoredFields
{
    public static bool Has(byte[] stored, int field)
    {
        var reader = new ProtoReader(stored);
        while (reader.Next())
        {
            if (reader.Field == field)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The same fields, but for one, which is changed or (null) left out.</summary>
    /// <param name="numbers">Fields that hold no bytes; they can be left out only.</param>
    public static byte[] Change(byte[] stored, int field, Func<byte[], byte[]?> change, params ReadOnlySpan<int> numbers)
    {
        var reader = new ProtoReader(stored);
        var writer = new ProtoWriter();
        while (reader.Next())
        {
            if (numbers.Contains(reader.Field))
            {
                if (reader.Field != field)
                {
                    writer.UInt(reader.Field, reader.UInt64());
                }
            }
            else if ((reader.Field == field ? change(reader.Bytes().ToArray()) : reader.Bytes().ToArray()) is { } part)
            {
                writer.Bytes(reader.Field, part);
            }
        }

        return writer.ToArray();
    }
}
