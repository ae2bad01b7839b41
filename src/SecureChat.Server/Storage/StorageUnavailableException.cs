namespace SecureChat.Server.Storage;

/// <summary>A store that the server cannot start with. The message is a sentence for the operator, without secrets.</summary>
internal sealed class StorageUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
