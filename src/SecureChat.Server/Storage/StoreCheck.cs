namespace SecureChat.Server.Storage;

/// <summary>One store that must answer for the server to be ready.</summary>
/// <param name="Name">What the health check calls it.</param>
/// <param name="PingAsync">Throws when the store cannot be reached.</param>
internal sealed record StoreCheck(string Name, Func<CancellationToken, Task> PingAsync);
