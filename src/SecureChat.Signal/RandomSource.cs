using System.Security.Cryptography;

namespace SecureChat.Signal;

/// <summary>Where keys and nonces come from. A parameter of everything that draws chance, so that vectors can be replayed.</summary>
public abstract class RandomSource
{
    /// <summary>The operating system's generator: the only one for anything but tests.</summary>
    public static RandomSource System { get; } = new SystemRandom();

    /// <summary>Fills <paramref name="bytes"/> with bytes that nobody can predict.</summary>
    public abstract void Fill(Span<byte> bytes);

    private sealed class SystemRandom : RandomSource
    {
        public override void Fill(Span<byte> bytes) => RandomNumberGenerator.Fill(bytes);
    }
}
