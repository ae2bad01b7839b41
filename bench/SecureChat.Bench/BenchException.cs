namespace SecureChat.Bench;

/// <summary>A run that measured nothing worth reporting: the message says why.</summary>
internal sealed class BenchException(string message) : Exception(message);
