using System.Security.Cryptography;

namespace SecureChat.Server.Storage;

/// <summary>The end that the envelopes of one message for many have in common: stored once, and gone with the last of them.</summary>
/// <param name="bytes">What each of the mails ends with.</param>
/// <param name="mails">How many mails will be appended with it, each exactly once, whatever becomes of them.</param>
internal sealed class SharedBody(byte[] bytes, int mails)
{
    public const int NameBytes = 16;

    /// <summary>Drawn anew for each message, so that a retry has a body of its own.</summary>
    public ReadOnlyMemory<byte> Name { get; } = RandomNumberGenerator.GetBytes(NameBytes);

    public byte[] Bytes { get; } = bytes;

    public int Mails { get; } = mails;

    /// <summary>What the embedded queue knows of it.</summary>
    public QueueShared? Row { get; set; }

    /// <summary>An envelope from its two parts.</summary>
    public static byte[] Join(ReadOnlySpan<byte> beginning, ReadOnlySpan<byte> end)
    {
        var whole = GC.AllocateUninitializedArray<byte>(beginning.Length + end.Length);
        beginning.CopyTo(whole);
        end.CopyTo(whole.AsSpan(beginning.Length));
        return whole;
    }
}

/// <summary>A shared body in <see cref="SqliteMessageQueue"/>: how many still need it, and whether the file has it.</summary>
internal sealed class QueueShared(byte[]? bytes, int open)
{
    /// <summary>The position of the first mail that ends with it; zero until there is one.</summary>
    public long Id { get; set; }

    /// <summary>The body, until its commit; afterwards the file has it.</summary>
    public byte[]? Bytes { get; set; } = bytes;

    /// <summary>Mails that wait for it, or were announced and have not come yet. The queue's gate guards it.</summary>
    public int Open { get; set; } = open;

    /// <summary>The writer has taken a mail that ends with it: from here on its removal must be written too.</summary>
    public bool Committing { get; set; }

    /// <summary>The writer alone uses it.</summary>
    public bool IsWritten { get; set; }
}
