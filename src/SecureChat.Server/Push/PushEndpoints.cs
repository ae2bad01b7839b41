using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Protocol.Push;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Push;

/// <summary>Registering how a device is woken. Spec: docs/protocol/push.md.</summary>
internal static class PushEndpoints
{
    public static void MapPush(this IEndpointRouteBuilder app)
    {
        var push = app.MapGroup("/v1/push").WithTags("Push").WithRetryAfter().RequireAuthorization().RequireLimit(RateLimits.RegisterPush);
        push.MapPut("/", Put);
        push.MapDelete("/", Delete);
        push.MapGet("/vapid", Vapid);
    }

    /// <summary><c>PUT /v1/push</c>: from now on the calling device is woken this way, and no other.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Put(
        PutPush body, Caller caller, PushSubscriptions subscriptions, IEnumerable<IPushSender> senders, EndpointGuard guard, CancellationToken ct)
    {
        if (Read(body) is not { } target)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        var hasEndpoint = target.Kind is PushKind.WebPush or PushKind.UnifiedPush;
        if (!senders.Any(sender => sender.Serves(target.Kind)) || (hasEndpoint && !guard.Accepts(target.Address, out _)))
        {
            return Problem.From(ProtocolError.UnsupportedPush);
        }

        return await subscriptions.PutAsync(caller.Address, target, ct)
            ? TypedResults.NoContent()
            : Problem.From(ProtocolError.Unauthorized);
    }

    /// <summary><c>DELETE /v1/push</c>: the calling device is not woken any more.</summary>
    private static async Task<NoContent> Delete(Caller caller, PushSubscriptions subscriptions, CancellationToken ct)
    {
        await subscriptions.RemoveAsync(caller.Address, ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>GET /v1/push/vapid</c>: the key that a browser subscribes with.</summary>
    private static Ok<VapidKey> Vapid(VapidKeys vapid) => TypedResults.Ok(new VapidKey(vapid.PublicKey));

    // Null: not exactly one, or a field out of range.
    private static PushTarget? Read(PutPush body) => body switch
    {
        { WebPush: { } web, UnifiedPush: null, Fcm: null, Apns: null } => WithKeys(PushKind.WebPush, web.Endpoint, web.Keys),
        { WebPush: null, UnifiedPush: { } unified, Fcm: null, Apns: null } => unified.Keys is { } keys
            ? WithKeys(PushKind.UnifiedPush, unified.Endpoint, keys)
            : new PushTarget(PushKind.UnifiedPush, unified.Endpoint, [], []),
        { WebPush: null, UnifiedPush: null, Fcm: { } fcm, Apns: null } =>
            fcm.Token.Length is > 0 and <= Limits.MaxFcmTokenLength && !fcm.Token.AsSpan().ContainsAnyExcept(TokenCharacters)
                ? new PushTarget(PushKind.Fcm, fcm.Token, [], [])
                : null,
        { WebPush: null, UnifiedPush: null, Fcm: null, Apns: { } apns } =>
            apns.Token.Length is >= 64 and <= 200 && apns.Token.Length % 2 is 0 && apns.Token.All(char.IsAsciiHexDigit)
                ? new PushTarget(PushKind.Apns, apns.Token, [], [])
                : null,
        _ => null,
    };

    private static PushTarget? WithKeys(PushKind kind, string endpoint, WebPushKeys keys)
    {
        try
        {
            var (p256dh, auth) = (Base64Url.DecodeFromChars(keys.P256dh), Base64Url.DecodeFromChars(keys.Auth));
            using var checkedKey = WebPushEncryption.PublicKey(p256dh);
            return auth.Length is PushTarget.AuthBytes ? new PushTarget(kind, endpoint, p256dh, auth) : null;
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            return null;
        }
    }

    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:.%/=+");
}
