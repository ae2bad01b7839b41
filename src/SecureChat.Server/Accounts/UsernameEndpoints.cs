using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Accounts;

/// <summary>Usernames and finding people. Spec: docs/protocol/accounts.md#usernames.</summary>
internal static class UsernameEndpoints
{
    public static void MapUsernames(this IEndpointRouteBuilder app)
    {
        var own = app.MapGroup("/v1/account/username").WithTags("Usernames").WithRetryAfter().RequireAuthorization();
        own.MapPost("/reserve", Reserve).RequireLimit(RateLimits.ReserveUsername);
        own.MapPut("/", Confirm).RequireLimit(RateLimits.OwnAccount);
        own.MapDelete("/", Delete).RequireLimit(RateLimits.OwnAccount);
        own.MapPut("/link", PutLink).RequireLimit(RateLimits.OwnAccount);
        own.MapDelete("/link", DeleteLink).RequireLimit(RateLimits.OwnAccount);

        var find = app.MapGroup("/v1").WithTags("Usernames").WithRetryAfter().RequireAuthorization();
        find.MapPost("/usernames/lookup", LookUp).RequireLimit(RateLimits.LookUp, Detectors.NameScan);
        find.MapPost("/usernames/link", OpenLink).RequireLimit(RateLimits.LookUp, Detectors.NameScan);
        find.MapPost("/accounts/lookup", LookUpIdentifier).RequireLimit(RateLimits.LookUp, Detectors.NameScan);
    }

    /// <summary><c>POST /v1/account/username/reserve</c>: holds the first free username for five minutes.</summary>
    private static async Task<Results<Ok<UsernameHash>, ProblemHttpResult>> Reserve(
        ReserveUsername body, Caller caller, UsernameStore usernames, CancellationToken ct)
    {
        if (body.Hashes.Count is 0 or > Limits.MaxUsernameCandidates
            || body.Hashes.Any(hash => hash is not { Length: Limits.UsernameHashBytes }))
        {
            return Problem.From(ProtocolError.Malformed);
        }

        return await usernames.ReserveAsync(caller.Account, body.Hashes, ct) is { } hash
            ? TypedResults.Ok(new UsernameHash(hash))
            : Problem.From(ProtocolError.UsernameTaken);
    }

    /// <summary><c>PUT /v1/account/username</c>: takes a reserved username, and gives up the one before.</summary>
    private static async Task<Results<Ok<UsernameLink>, ProblemHttpResult>> Confirm(
        ConfirmUsername body, Caller caller, UsernameStore usernames, CancellationToken ct)
    {
        if (body.Hash.Length is not Limits.UsernameHashBytes || body.Encrypted.Length is 0 or > Limits.MaxUsernameLinkBytes)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        return await usernames.ConfirmAsync(caller.Account, body.Hash, body.Encrypted, ct) is { } link
            ? TypedResults.Ok(new UsernameLink(link))
            : Problem.From(ProtocolError.UsernameTaken);
    }

    /// <summary><c>DELETE /v1/account/username</c>: gives the username and its link up.</summary>
    private static async Task<NoContent> Delete(Caller caller, UsernameStore usernames, CancellationToken ct)
    {
        await usernames.DeleteAsync(caller.Account, ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>PUT /v1/account/username/link</c>: replaces what the link leads to.</summary>
    private static async Task<Results<Ok<UsernameLink>, ProblemHttpResult>> PutLink(
        PutUsernameLink body, Caller caller, UsernameStore usernames, CancellationToken ct)
    {
        if (body.Encrypted.Length is 0 or > Limits.MaxUsernameLinkBytes)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        return await usernames.PutLinkAsync(caller.Account, body.Encrypted, body.KeepLink, ct) is { } link
            ? TypedResults.Ok(new UsernameLink(link))
            : Problem.From(ProtocolError.NotFound);
    }

    /// <summary><c>DELETE /v1/account/username/link</c>: ends the link; the username stays.</summary>
    private static async Task<NoContent> DeleteLink(Caller caller, UsernameStore usernames, CancellationToken ct)
    {
        await usernames.DeleteLinkAsync(caller.Account, ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>POST /v1/usernames/lookup</c>: the account with that username.</summary>
    /// <remarks>A miss is the nil UUID in an answer of the same size, at the same moment.</remarks>
    private static async Task<Results<Ok<FoundAccount>, ProblemHttpResult>> LookUp(
        UsernameHash body, Caller caller, UsernameStore usernames, Anomalies anomalies, OneMoment oneMoment, CancellationToken ct)
    {
        if (body.Hash.Length is not Limits.UsernameHashBytes)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        var began = oneMoment.Begin();
        var found = await usernames.FindAsync(body.Hash, ct);
        await oneMoment.ComesAsync(began, 1, ct);
        return TypedResults.Ok(Answer(found, caller, Guess, anomalies));
    }

    /// <summary><c>POST /v1/usernames/link</c>: what a username link leads to. Its id is 122 random bits: nobody guesses one.</summary>
    private static async Task<Results<Ok<EncryptedUsername>, ProblemHttpResult>> OpenLink(
        UsernameLink body, UsernameStore usernames, CancellationToken ct) =>
        await usernames.OpenLinkAsync(body.Link, ct) is { } encrypted
            ? TypedResults.Ok(new EncryptedUsername(encrypted))
            : Problem.From(ProtocolError.NotFound);

    /// <summary><c>POST /v1/accounts/lookup</c>: the account with that e-mail address or number, if it wants to be found.</summary>
    /// <remarks>Not registered and not discoverable are the same answer, of the same size as a hit, at the same moment.</remarks>
    private static async Task<Results<Ok<FoundAccount>, ProblemHttpResult>> LookUpIdentifier(
        LookUpIdentifier body, Caller caller, AccountStore accounts, Storage.Secrets secrets, Anomalies anomalies, OneMoment oneMoment,
        CancellationToken ct)
    {
        if (Identifier.Parse(body.Email, body.Phone) is not { } identifier)
        {
            return Problem.From(ProtocolError.InvalidIdentifier);
        }

        var began = oneMoment.Begin();
        var found = await accounts.FindByIdentifierAsync(identifier.Hash(secrets), ct);
        await oneMoment.ComesAsync(began, 1, ct);
        return TypedResults.Ok(Answer(found is { Discoverable: 1 } ? found.Account : null, caller, Acquaintance, anomalies));
    }

    private static FoundAccount Answer(Guid? found, Caller caller, double weight, Anomalies anomalies)
    {
        if (found is null)
        {
            anomalies.Observe(Detectors.NameScan, caller.Account.ToByteArray(bigEndian: true), weight);
        }

        return new FoundAccount(found ?? Guid.Empty);
    }

    // What a miss counts: a name that one was told is there, a contact mostly is not.
    private const double Guess = 1;
    private const double Acquaintance = 0.25;
}
