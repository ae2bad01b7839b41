using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Keys;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Keys;

/// <summary>Publishing and fetching device keys. Spec: docs/protocol/keys.md.</summary>
internal static class KeysEndpoints
{
    public static void AddKeys(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<KeyStore>();
        builder.Services.AddSingleton<KeyBudget>();
        builder.Services.AddSingleton<KeyReminders>();
        builder.Services.AddSweep<KeyReminders>(
            "old_signed_prekeys", TimeSpan.FromHours(1), (reminders, ct) => reminders.RemindOldAsync(ct));
    }

    public static void MapKeys(this IEndpointRouteBuilder app)
    {
        var keys = app.MapGroup("/v1/keys").WithTags("Keys").WithRetryAfter();
        keys.MapPut("/", Publish).RequireAuthorization().RequireLimit(RateLimits.PublishKeys);
        keys.MapGet("/", Counts).RequireAuthorization().RequireLimit(RateLimits.OwnAccount);
        keys.MapPost("/check", Check).RequireAuthorization().RequireLimit(RateLimits.OwnAccount);
        keys.MapPost("/fetch", Fetch).AllowAnonymous()
            .RequireLimit(RateLimits.FetchKeys, Detectors.KeySweep, Detectors.KeySweepOfStrangers);
    }

    /// <summary><c>PUT /v1/keys</c>: replaces those of the calling device's keys that are given.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Publish(
        PublishKeys body, Caller caller, KeyStore keys, KeyReminders reminders, CancellationToken ct)
    {
        if (!PublishedKeys.IsWellFormed(body))
        {
            return Problem.From(ProtocolError.Malformed);
        }

        var identityKey = await keys.IdentityKeyAsync(caller.Account, ct);
        if (identityKey is null
            || !PublishedKeys.AreSigned(body, identityKey)
            || !await keys.PublishAsync(caller.Address, body, identityKey, ct))
        {
            return Problem.From(ProtocolError.BadSignature);
        }

        await reminders.RestockedAsync(caller.Address, ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>GET /v1/keys</c>: what is left of the calling device's one-time keys, and how old the others are.</summary>
    private static async Task<Results<Ok<KeyCounts>, ProblemHttpResult>> Counts(
        Caller caller, KeyStore keys, TimeProvider time, CancellationToken ct)
    {
        if (await keys.DevicesAsync(caller.Account, caller.Device, ct) is not [var device])
        {
            return Problem.From(ProtocolError.Unauthorized);
        }

        var (curve, kyber) = await keys.CountAsync(caller.Address, ct);
        var now = time.GetUtcNow();
        return TypedResults.Ok(new KeyCounts(
            curve, kyber, Math.Max(0, (now - device.SignedAt).Days), Math.Max(0, (now - device.LastResortAt).Days)));
    }

    /// <summary><c>POST /v1/keys/check</c>: 204 when server and client hold the same keys, else 409.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Check(
        CheckKeys body, Caller caller, KeyStore keys, CancellationToken ct)
    {
        if (body.Digest.Length is not SHA256.HashSizeInBytes)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        return await keys.DevicesAsync(caller.Account, caller.Device, ct) is [var device]
            && CryptographicOperations.FixedTimeEquals(DigestOf(device), body.Digest)
                ? TypedResults.NoContent()
                : Problem.From(ProtocolError.KeysDiffer);
    }

    /// <summary><c>POST /v1/keys/fetch</c>: what new sessions with one or all devices of an account need. Takes one-time keys.</summary>
    /// <remarks>Open to callers without credentials: a sealed sender must not name itself to start a session.</remarks>
    private static async Task<Results<Ok<KeyBundles>, ProblemHttpResult>> Fetch(
        FetchKeys body,
        HttpContext context,
        KeyStore keys,
        KeyBudget budget,
        KeyReminders reminders,
        Anomalies anomalies,
        IOptions<Microsoft.AspNetCore.Http.Json.JsonOptions> json,
        CancellationToken ct)
    {
        if (body.Account == Guid.Empty || body.Device is < 1 or > Limits.MaxDeviceId)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        var account = context.Features.Get<Caller>()?.Account.ToByteArray(bigEndian: true);
        var requester = account ?? RateLimiter.Network(context.Connection.RemoteIpAddress);
        anomalies.Observe(account is null ? Detectors.KeySweepOfStrangers : Detectors.KeySweep, requester, body.Account);
        var rows = await keys.DevicesAsync(body.Account, body.Device, ct);
        if (rows.Count is 0)
        {
            return Problem.From(ProtocolError.NotFound);
        }

        var devices = new List<DeviceKeys>(rows.Count);
        foreach (var row in rows)
        {
            var address = new DeviceAddress(body.Account, row.Device);
            devices.Add(await BundleAsync(row, address, requester, keys, budget, ct));
            await reminders.TakenAsync(address, ct);
        }

        return TypedResults.Ok(Padded(new KeyBundles(rows[0].IdentityKey, devices, rows[0].DeviceList), json.Value.SerializerOptions));
    }

    private static async Task<DeviceKeys> BundleAsync(
        DeviceKeysRow row, DeviceAddress address, byte[] requester, KeyStore keys, KeyBudget budget, CancellationToken ct)
    {
        var generous = await budget.AllowsOneTimeKeysAsync(requester, address, ct);
        var oneTimeKey = generous ? await keys.TakeOneTimeKeyAsync(address, ct) : null;
        var kyberKey = generous ? await keys.TakeKyberKeyAsync(address, ct) : null;
        return new DeviceKeys(
            row.Device,
            row.RegistrationId,
            new SignedKey(row.SignedId, row.SignedKey, row.SignedSignature),
            kyberKey ?? new SignedKey(row.LastResortId, row.LastResortKey, row.LastResortSignature),
            oneTimeKey);
    }

    // With and without one-time keys, with short and long key ids: the same length per number of devices.
    private static KeyBundles Padded(KeyBundles bundles, JsonSerializerOptions options)
    {
        var length = JsonSerializer.SerializeToUtf8Bytes(bundles, options).Length;
        return bundles with { Padding = new string('0', FixedBytes + (bundles.Devices.Count * BytesPerDevice) - length) };
    }

    private static byte[] DigestOf(DeviceKeysRow device)
    {
        var ids = new byte[16];
        BinaryPrimitives.WriteInt64BigEndian(ids, device.SignedId);
        BinaryPrimitives.WriteInt64BigEndian(ids.AsSpan(8), device.LastResortId);
        return SHA256.HashData(
            [.. device.IdentityKey, .. ids[..8], .. device.SignedKey, .. ids[8..], .. device.LastResortKey]);
    }

    private const int FixedBytes = 896;
    private const int BytesPerDevice = 3072;
}
