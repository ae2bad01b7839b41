namespace SecureChat.Bench.Load;

/// <summary>A device of either side: connects, says when it is ready, sends and acknowledges messages.</summary>
/// <param name="traffic">Told what was accepted and delivered.</param>
/// <param name="pair">The pair this device belongs to.</param>
internal abstract class ChatConnection(Traffic traffic, int pair) : Connection
{
    protected Traffic Traffic { get; } = traffic;

    protected int Pair { get; } = pair;

    /// <summary>Sends the content to the pair's other device.</summary>
    public abstract void Send(uint sequence, ReadOnlySpan<byte> content);
}
