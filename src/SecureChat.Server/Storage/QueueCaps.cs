namespace SecureChat.Server.Storage;

/// <summary>How much may wait for one device; beyond it the sender is told <c>queue_full</c>.</summary>
/// <param name="Envelopes">Count.</param>
/// <param name="Bytes">Sum of the envelopes' sizes.</param>
internal readonly record struct QueueCaps(int Envelopes, long Bytes);
