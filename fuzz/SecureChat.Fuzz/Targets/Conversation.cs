using SecureChat.Signal;

namespace SecureChat.Fuzz.Targets;

/// <summary>Alice and Bob have talked a little; messages of hers are still on their way.</summary>
internal static class Conversation
{
    private static readonly InMemoryStores Bob = Cast.StoresOfBob();

    static Conversation()
    {
        var alice = new InMemoryStores();
        var (hers, his) = (Cast.Cipher(Cast.Alice, alice, 4), Cast.Cipher(Cast.Bob, Bob, 5));
        Wait(hers.StartAsync(Cast.Bob.Address, Cast.BobsBundle.Verify(), Cast.Today, default));
        FirstOpening = Wait(hers.EncryptAsync(Cast.Bob.Address, new byte[] { 1 }, Cast.Today, default)).Serialized.ToArray();
        NextOpening = Wait(hers.EncryptAsync(Cast.Bob.Address, new byte[] { 2 }, Cast.Today, default)).Serialized.ToArray();
        Wait(his.DecryptAsync(Cast.Alice.Address, CiphertextType.PreKeyMessage, FirstOpening, default));
        var answer = Wait(his.EncryptAsync(Cast.Alice.Address, new byte[] { 3 }, Cast.Today, default));
        Wait(hers.DecryptAsync(Cast.Bob.Address, answer.Type, answer.Serialized, default));
        Message = Wait(hers.EncryptAsync(Cast.Bob.Address, new byte[] { 4 }, Cast.Today, default)).Serialized.ToArray();
    }

    /// <summary>The message that opened the session.</summary>
    public static byte[] FirstOpening { get; }

    /// <summary>A second one with the same handshake, not delivered.</summary>
    public static byte[] NextOpening { get; }

    /// <summary>A message under a new ratchet key, not delivered.</summary>
    public static byte[] Message { get; }

    /// <summary>What Bob keeps.</summary>
    public static InMemoryStores StoresOfBob() => Copy(Bob);

    /// <summary>The same prekeys and session in stores of their own.</summary>
    public static InMemoryStores Copy(InMemoryStores stores)
    {
        var copy = Cast.StoresOfBob();
        using var record = Wait(((ISessionStore)stores).LoadAsync(Cast.Alice.Address, default));
        if (record is not null)
        {
            Wait(copy.StoreAsync(Cast.Alice.Address, record, default));
        }

        return copy;
    }

    /// <summary>Bob's record of his sessions with Alice; nothing if there is none.</summary>
    public static byte[] Record(InMemoryStores stores)
    {
        using var record = Wait(((ISessionStore)stores).LoadAsync(Cast.Alice.Address, default));
        return record?.Serialize() ?? [];
    }

    /// <summary>The result: stores in memory never make anybody wait.</summary>
    private static T Wait<T>(ValueTask<T> task) => task.AsTask().GetAwaiter().GetResult();

    private static void Wait(ValueTask task) => task.AsTask().GetAwaiter().GetResult();
}
