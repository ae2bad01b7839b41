namespace SecureChat.Server.Tests.Support;

/// <summary>One running server for all tests of a class, each with accounts of its own.</summary>
public sealed class SharedNode : IAsyncLifetime
{
    internal LoopbackNode Node { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Node = await LoopbackNode.StartAsync();

    public ValueTask DisposeAsync() => Node.DisposeAsync();
}
