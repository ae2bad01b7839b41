using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Accounts;

/// <summary>The caller's devices, and linking new ones. Spec: docs/protocol/accounts.md#devices.</summary>
internal static class DeviceEndpoints
{
    public static void MapDevices(this IEndpointRouteBuilder app)
    {
        var devices = app.MapGroup("/v1/devices").WithTags("Devices").WithRetryAfter().RequireAuthorization();
        devices.MapGet("/", List).RequireLimit(RateLimits.OwnAccount);
        devices.MapPut("/list", PublishList).RequireLimit(RateLimits.OwnAccount);
        devices.MapPut("/{device:int}/name", Rename).RequireLimit(RateLimits.OwnAccount);
        devices.MapDelete("/{device:int}", Remove).RequireLimit(RateLimits.OwnAccount);
        devices.MapPost("/link-code", CreateLinkCode).RequireLimit(RateLimits.Provision);
        app.MapPut("/v1/provisioning", Provision).WithTags("Devices").WithRetryAfter()
            .RequireAuthorization().RequireLimit(RateLimits.Provision);
        app.MapPost("/v1/devices/link", Link).WithTags("Devices").WithRetryAfter()
            .AllowAnonymous().CountFailures().RequireLimit(RateLimits.LinkDevice, Detectors.FailedAuth);
    }

    /// <summary><c>GET /v1/devices</c>: the account's devices.</summary>
    private static async Task<Ok<DeviceList>> List(Caller caller, DeviceStore devices, CancellationToken ct) =>
        TypedResults.Ok(await devices.ListAsync(caller.Account, ct));

    /// <summary><c>PUT /v1/devices/list</c>: the signed list that whoever starts a session is given. Primary only.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> PublishList(
        PublishDeviceList body, Caller caller, DeviceStore devices, CancellationToken ct)
    {
        if (!caller.IsPrimary)
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        if (body.List.Length is 0 or > Limits.MaxDeviceListBytes)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        await devices.PublishListAsync(caller.Account, body.List, ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>PUT /v1/devices/{device}/name</c>: the primary names any device, a linked one itself.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Rename(
        int device, RenameDevice body, Caller caller, DeviceStore devices, CancellationToken ct)
    {
        if (body.Name is { Length: > Limits.MaxDeviceNameBytes })
        {
            return Problem.From(ProtocolError.Malformed);
        }

        if (!caller.IsPrimary && device != caller.Device)
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        return await devices.RenameAsync(new(caller.Account, device), body.Name, ct)
            ? TypedResults.NoContent()
            : Problem.From(ProtocolError.NotFound);
    }

    /// <summary><c>DELETE /v1/devices/{device}</c>: the primary removes any linked device, a linked one itself.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Remove(
        int device, Caller caller, DeviceStore devices, CancellationToken ct)
    {
        if (device is 1 || (!caller.IsPrimary && device != caller.Device))
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        return await devices.RemoveAsync(new(caller.Account, device), ct)
            ? TypedResults.NoContent()
            : Problem.From(ProtocolError.NotFound);
    }

    /// <summary><c>POST /v1/devices/link-code</c>: a code with which one device can be linked. Primary only.</summary>
    private static async Task<Results<Ok<LinkCode>, ProblemHttpResult>> CreateLinkCode(
        Caller caller, DeviceStore devices, CancellationToken ct)
    {
        if (!caller.IsPrimary)
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        return await devices.CreateLinkCodeAsync(caller, ct) is { } code
            ? TypedResults.Ok(code)
            : Problem.From(ProtocolError.TooManyDevices);
    }

    /// <summary><c>PUT /v1/provisioning</c>: hands a message to a device that waits to be linked. Primary only.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Provision(
        ProvisioningMessage body, Caller caller, ProvisioningAddresses addresses, CancellationToken ct)
    {
        if (!caller.IsPrimary)
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        if (body.Address.Length is not ProvisioningAddress.Bytes || body.Message.Length is 0)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        if (body.Message.Length > Limits.MaxProvisioningBytes)
        {
            return Problem.From(ProtocolError.TooLarge);
        }

        return await addresses.PostAsync(body.Address, body.Message, ct)
            ? TypedResults.NoContent()
            : Problem.From(ProtocolError.NotFound);
    }

    /// <summary><c>POST /v1/devices/link</c>: a new device adds itself, with its own keys.</summary>
    private static async Task<Results<Ok<Session>, ProblemHttpResult>> Link(
        LinkDevice body, DeviceStore devices, CancellationToken ct)
    {
        var (session, refusal) = await devices.LinkAsync(body, ct);
        return session is not null ? TypedResults.Ok(session) : Problem.From(refusal!);
    }
}
