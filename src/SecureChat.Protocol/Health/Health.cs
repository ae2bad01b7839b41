namespace SecureChat.Protocol.Health;

/// <summary>Answer of <c>/health/live</c> and <c>/health/ready</c>.</summary>
/// <param name="Status"><c>ok</c> or <c>unavailable</c>.</param>
/// <param name="Failed">Stores that do not answer: <c>directory</c>, <c>queues</c>, <c>hot</c>.</param>
public sealed record ReadyAnswer(string Status, IReadOnlyList<string> Failed);

/// <summary>Answer of <c>/version</c>.</summary>
public sealed record VersionAnswer(string Name, string Version);
