using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Accounts;

/// <summary>The caller's own account: settings, export, deletion. Spec: docs/protocol/accounts.md#account.</summary>
internal static class AccountEndpoints
{
    public static void MapAccount(this IEndpointRouteBuilder app)
    {
        var account = app.MapGroup("/v1/account").WithTags("Accounts").WithRetryAfter().RequireAuthorization();
        account.MapGet("/data", Export).RequireLimit(RateLimits.ExportAccount);
        account.MapDelete("/", Delete).RequireLimit(RateLimits.OwnAccount);
        account.MapPut("/discoverable", SetDiscoverable).RequireLimit(RateLimits.OwnAccount);
        account.MapPut("/registration-lock", SetLock).RequireLimit(RateLimits.SetRegistrationLock);
        account.MapDelete("/registration-lock", RemoveLock).RequireLimit(RateLimits.SetRegistrationLock);
    }

    /// <summary><c>GET /v1/account/data</c>: every stored field about the caller.</summary>
    private static async Task<Ok<AccountData>> Export(Caller caller, AccountExport export, CancellationToken ct) =>
        TypedResults.Ok(await export.ReadAsync(caller.Account, ct));

    /// <summary><c>DELETE /v1/account</c>: deletes the account with all it owns, at once and for good. Primary only.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Delete(
        Caller caller, AccountStore accounts, CancellationToken ct)
    {
        if (!caller.IsPrimary)
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        await accounts.DeleteAsync(caller.Account, ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>PUT /v1/account/discoverable</c>: whether others find the account by its e-mail address or number. Primary only.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> SetDiscoverable(
        Discoverable body, Caller caller, AccountStore accounts, CancellationToken ct)
    {
        if (!caller.IsPrimary)
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        await accounts.SetDiscoverableAsync(caller.Account, body.Enabled, ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>PUT /v1/account/registration-lock</c>: sets or replaces the lock. Primary only.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> SetLock(
        SetRegistrationLock body, Caller caller, RegistrationLock registrationLock, CancellationToken ct)
    {
        if (!caller.IsPrimary)
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        if (body.Token.Length is not Limits.RegistrationLockBytes)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        await registrationLock.SetAsync(caller.Account, body.Token, ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>DELETE /v1/account/registration-lock</c>: removes the lock. Primary only.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> RemoveLock(
        Caller caller, RegistrationLock registrationLock, CancellationToken ct)
    {
        if (!caller.IsPrimary)
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        await registrationLock.SetAsync(caller.Account, null, ct);
        return TypedResults.NoContent();
    }
}
