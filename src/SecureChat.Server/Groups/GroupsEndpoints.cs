using System.Numerics;
using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Protocol.Groups;
using SecureChat.Server.Abuse;
using SecureChat.Server.Hosting;
using SecureChat.Server.Storage;
using SecureChat.Signal.Keys;

namespace SecureChat.Server.Groups;

/// <summary>What the members of a group share, without the server knowing who they are. Spec: docs/protocol/groups.md.</summary>
internal static class GroupsEndpoints
{
    // A state as base64, and what is around it.
    private const int MaxPutBytes = (Limits.MaxGroupStateBytes / 3 * 4) + (16 * 1024);

    public static void AddGroups(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSettings<GroupsOptions, GroupsOptionsValidator>("Groups");
        builder.Services.AddSingleton<GroupStore>();
        builder.Services.AddSweep<GroupStore>("groups", TimeSpan.FromHours(1), (groups, ct) => groups.ReapAsync(ct));
    }

    public static void MapGroups(this IEndpointRouteBuilder app)
    {
        var groups = app.MapGroup("/v1/groups").WithTags("Groups").WithRetryAfter().AllowAnonymous();
        groups.MapGet("/state", Get).RequireLimit(RateLimits.SignedReads).RefuseCredentials();
        groups.MapPut("/state", Put).RequireLimit(RateLimits.SignedChanges).RefuseCredentials().Accepts<PutGroup>("application/json");
        groups.MapDelete("/state", Delete).RequireLimit(RateLimits.SignedChanges).RefuseCredentials();
        groups.MapGet("/preview", Preview).RequireLimit(RateLimits.SignedReads).RefuseCredentials();
        groups.MapPost("/requests", Ask).RequireLimit(RateLimits.SignedChanges).RefuseCredentials().Accepts<AskToJoin>("application/json");
        groups.MapGet("/requests", Requests).RequireLimit(RateLimits.SignedReads).RefuseCredentials();
        groups.MapDelete("/requests/{id}", RemoveRequest).RequireLimit(RateLimits.SignedChanges).RefuseCredentials();
    }

    /// <summary><c>GET /v1/groups/state</c>: the state; empty if the reader has this version already. Signed by the group's key.</summary>
    private static async Task<Results<Ok<GroupState>, ProblemHttpResult>> Get(
        HttpContext context, SignedRequests requests, GroupStore groups, CancellationToken ct, long after = 0)
    {
        var request = await requests.ReadAsync(context, ct);
        return request.Refusal is not null
            ? request.Problem()
            : await groups.FindAsync(request.Id, after, ct) is { } state
                ? TypedResults.Ok(state)
                : Problem.From(ProtocolError.NotFound);
    }

    /// <summary><c>PUT /v1/groups/state</c>: the next version in place of the one before. Signed by the admins' key, or the group's if there is none.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Put(
        HttpContext context, SignedRequests requests, GroupStore groups, CancellationToken ct)
    {
        var request = await requests.ReadChangeAsync(context, MaxPutBytes, ct);
        if (request.Refusal is not null)
        {
            return request.Problem();
        }

        if (requests.Parse<PutGroup>(request) is not { Version: > 0, State.Length: > 0 } group
            || (group.NewKey is not null && !PublicKey.TryParse(group.NewKey, out _))
            || (group.AdminKey is not null && !PublicKey.TryParse(group.AdminKey, out _))
            || (group.Link is not null && !PublicKey.TryParse(group.Link.Key, out _)))
        {
            return Problem.From(ProtocolError.Malformed);
        }

        if (group.State.Length > Limits.MaxGroupStateBytes || group.Link?.Preview.Length > Limits.MaxJoinBytes)
        {
            return Problem.From(ProtocolError.TooLarge);
        }

        // Its length must not tell how many members there are.
        if (group.State.Length < Limits.MinGroupStateBytes || !BitOperations.IsPow2(group.State.Length))
        {
            return Problem.From(ProtocolError.Malformed);
        }

        if (await groups.WritableByAsync(request.Id, ct) is not { } id)
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        try
        {
            return Signed.Answer(await groups.PutAsync(id, group, ct));
        }
        catch (KeyTakenException)
        {
            // Somebody else's request came between; or one of the keys is no fresh one.
            return Signed.Answer((await groups.FindAsync(id, long.MaxValue, ct))?.Version ?? 0);
        }
    }

    /// <summary><c>DELETE /v1/groups/state</c>: deletes the group at this version. Signed as a change of the state.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Delete(
        long version, HttpContext context, SignedRequests requests, GroupStore groups, CancellationToken ct)
    {
        var request = await requests.ReadChangeAsync(context, 0, ct);
        return request.Refusal is not null
            ? request.Problem()
            : await groups.WritableByAsync(request.Id, ct) is { } id
                ? Signed.Answer(await groups.DeleteAsync(id, version, ct))
                : Problem.From(ProtocolError.Forbidden);
    }

    /// <summary><c>GET /v1/groups/preview</c>: what the invite link shows. Signed by the link's key.</summary>
    private static async Task<Results<Ok<GroupPreview>, ProblemHttpResult>> Preview(
        HttpContext context, SignedRequests requests, GroupStore groups, CancellationToken ct)
    {
        var request = await requests.ReadAsync(context, ct);
        return request.Refusal is not null
            ? request.Problem()
            : await groups.PreviewAsync(request.Id, ct) is { } preview
                ? TypedResults.Ok(new GroupPreview(preview))
                : Problem.From(ProtocolError.NotFound);
    }

    /// <summary><c>POST /v1/groups/requests</c>: asks to join. Signed by the link's key.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Ask(
        HttpContext context, SignedRequests requests, GroupStore groups, CancellationToken ct)
    {
        var request = await requests.ReadChangeAsync(context, Limits.MaxJoinBytes * 2, ct);
        if (request.Refusal is not null)
        {
            return request.Problem();
        }

        return requests.Parse<AskToJoin>(request) is not { Request.Length: > 0 } ask
            ? Problem.From(ProtocolError.Malformed)
            : ask.Request.Length > Limits.MaxJoinBytes
                ? Problem.From(ProtocolError.TooLarge)
                : await groups.AskAsync(request.Id, ask.Request, ct) is { } refusal
                    ? Problem.From(refusal)
                    : TypedResults.NoContent();
    }

    /// <summary><c>GET /v1/groups/requests</c>: who asked to join. Signed by the group's key.</summary>
    private static async Task<Results<Ok<JoinRequests>, ProblemHttpResult>> Requests(
        HttpContext context, SignedRequests requests, GroupStore groups, CancellationToken ct)
    {
        var request = await requests.ReadAsync(context, ct);
        return request.Refusal is not null
            ? request.Problem()
            : await groups.RequestsAsync(request.Id, ct) is { } waiting
                ? TypedResults.Ok(new JoinRequests(waiting))
                : Problem.From(ProtocolError.NotFound);
    }

    /// <summary><c>DELETE /v1/groups/requests/{id}</c>: a request to join was answered. Signed as a change of the state.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> RemoveRequest(
        Guid id, HttpContext context, SignedRequests requests, GroupStore groups, CancellationToken ct)
    {
        var request = await requests.ReadChangeAsync(context, 0, ct);
        if (request.Refusal is not null)
        {
            return request.Problem();
        }

        return await groups.WritableByAsync(request.Id, ct) is not { } group
            ? Problem.From(ProtocolError.Forbidden)
            : await groups.RemoveRequestAsync(group, id, ct)
                ? TypedResults.NoContent()
                : Problem.From(ProtocolError.NotFound);
    }
}
