namespace SecureChat.Protocol.Push;

/// <summary>How to wake the calling device; exactly one member is present. Spec: docs/protocol/push.md#registering.</summary>
/// <param name="WebPush">A browser's subscription, as <c>PushSubscription.toJSON()</c> gives it.</param>
/// <param name="UnifiedPush">An endpoint of a UnifiedPush distributor.</param>
/// <param name="Fcm">A registration token of Firebase Cloud Messaging.</param>
/// <param name="Apns">A device token of the Apple Push Notification service.</param>
public sealed record PutPush(
    WebPushSubscription? WebPush = null, UnifiedPushEndpoint? UnifiedPush = null, FcmToken? Fcm = null, ApnsToken? Apns = null)
{
    /// <summary>Never a token.</summary>
    public override string ToString() => nameof(PutPush);
}

/// <summary>Where a browser's push service takes messages, and the keys they are encrypted to (RFC 8291).</summary>
/// <param name="Endpoint">An https URL of at most 1024 bytes.</param>
public sealed record WebPushSubscription(string Endpoint, WebPushKeys Keys)
{
    /// <summary>Never the endpoint.</summary>
    public override string ToString() => nameof(WebPushSubscription);
}

/// <summary>Where a UnifiedPush distributor takes messages.</summary>
/// <param name="Endpoint">An https URL of at most 1024 bytes.</param>
/// <param name="Keys">With them the message is encrypted as for Web Push.</param>
public sealed record UnifiedPushEndpoint(string Endpoint, WebPushKeys? Keys = null)
{
    /// <summary>Never the endpoint.</summary>
    public override string ToString() => nameof(UnifiedPushEndpoint);
}

/// <summary>A receiver's keys in base64url.</summary>
/// <param name="P256dh">P-256 public key, uncompressed, 65 bytes.</param>
/// <param name="Auth">Authentication secret, 16 bytes.</param>
public sealed record WebPushKeys(string P256dh, string Auth)
{
    /// <summary>Never the keys.</summary>
    public override string ToString() => nameof(WebPushKeys);
}

/// <param name="Token">At most 4096 characters: letters, digits, <c>-</c>, <c>_</c>, <c>:</c>, <c>.</c>, <c>%</c>, <c>/</c>, <c>=</c>, <c>+</c>.</param>
public sealed record FcmToken(string Token)
{
    /// <summary>Never the token.</summary>
    public override string ToString() => nameof(FcmToken);
}

/// <param name="Token">32 to 100 bytes in hexadecimal.</param>
public sealed record ApnsToken(string Token)
{
    /// <summary>Never the token.</summary>
    public override string ToString() => nameof(ApnsToken);
}

/// <summary>The server's key for Web Push, the <c>applicationServerKey</c> of a subscription (RFC 8292).</summary>
/// <param name="PublicKey">P-256, uncompressed, 65 bytes in base64url.</param>
public sealed record VapidKey(string PublicKey);
