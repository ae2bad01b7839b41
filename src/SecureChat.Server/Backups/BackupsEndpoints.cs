using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Protocol.Backups;
using SecureChat.Server.Abuse;
using SecureChat.Server.Hosting;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Backups;

/// <summary>Backups that the server cannot read and cannot link to an account. Spec: docs/protocol/backups.md.</summary>
internal static class BackupsEndpoints
{
    // A manifest as base64, and what is around it.
    private const int MaxPutBytes = (Limits.MaxBackupManifestBytes / 3 * 4) + 1024;

    public static void AddBackups(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSettings<BackupsOptions, BackupsOptionsValidator>("Backups");
        builder.Services.AddSingleton<BackupStore>();
        builder.Services.AddSweep<BackupStore>("backups", TimeSpan.FromHours(1), (backups, ct) => backups.ReapAsync(ct));
    }

    public static void MapBackups(this IEndpointRouteBuilder app)
    {
        var backups = app.MapGroup("/v1/backups").WithTags("Backups").WithRetryAfter().AllowAnonymous();
        backups.MapGet("/", Get).RequireLimit(RateLimits.SignedReads).RefuseCredentials();
        backups.MapPut("/", Put).RequireLimit(RateLimits.SignedChanges).RefuseCredentials().Accepts<PutBackup>("application/json");
        backups.MapDelete("/", Delete).RequireLimit(RateLimits.SignedChanges).RefuseCredentials();
        backups.MapPut("/chunks/{upload}/{number}", PutChunk).RequireLimit(RateLimits.SignedChanges).RefuseCredentials()
            .Accepts<byte[]>("application/octet-stream");
        backups.MapGet("/chunks/{number}", GetChunk).RequireLimit(RateLimits.SignedReads).RefuseCredentials()
            .Produces<byte[]>(contentType: "application/octet-stream");
    }

    /// <summary><c>GET /v1/backups</c>: which version there is, and its manifest. Signed by the backup's key.</summary>
    private static async Task<Results<Ok<BackupState>, ProblemHttpResult>> Get(
        HttpContext context, SignedRequests requests, BackupStore backups, CancellationToken ct)
    {
        var request = await requests.ReadAsync(context, ct);
        return request.Refusal is not null
            ? request.Problem()
            : await backups.FindAsync(request.Id, ct) is { } state
                ? TypedResults.Ok(state)
                : Problem.From(ProtocolError.NotFound);
    }

    /// <summary><c>PUT /v1/backups</c>: makes an upload the backup. Signed by the backup's key.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Put(
        HttpContext context, SignedRequests requests, BackupStore backups, CancellationToken ct)
    {
        var request = await requests.ReadChangeAsync(context, MaxPutBytes, ct);
        if (request.Refusal is not null)
        {
            return request.Problem();
        }

        if (requests.Parse<PutBackup>(request) is not { Version: > 0, Chunks: > 0 and <= Limits.MaxBackupChunks } backup)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        if (backup.Manifest.Length > Limits.MaxBackupManifestBytes)
        {
            return Problem.From(ProtocolError.TooLarge);
        }

        var (stored, isIncomplete) = await backups.PutAsync(request.Id, backup, ct);
        return isIncomplete ? Problem.From(ProtocolError.NotFound) : Signed.Answer(stored);
    }

    /// <summary><c>DELETE /v1/backups</c>: deletes the backup at this version. Signed by the backup's key.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Delete(
        long version, HttpContext context, SignedRequests requests, BackupStore backups, CancellationToken ct)
    {
        var request = await requests.ReadChangeAsync(context, 0, ct);
        return request.Refusal is not null
            ? request.Problem()
            : Signed.Answer(await backups.DeleteAsync(request.Id, version, ct));
    }

    /// <summary><c>PUT /v1/backups/chunks/{upload}/{number}</c>: a part of a version to come. Signed by the backup's key.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> PutChunk(
        Guid upload, int number, HttpContext context, SignedRequests requests, BackupStore backups, CancellationToken ct)
    {
        var request = await requests.ReadChangeAsync(context, Limits.MaxBackupChunkBytes, ct);
        if (request.Refusal is not null)
        {
            return request.Problem();
        }

        return number is < 0 or >= Limits.MaxBackupChunks || request.Body.Length is 0
            ? Problem.From(ProtocolError.Malformed)
            : await backups.PutChunkAsync(request.Id, upload, number, request.Body, ct) is { } refusal
                ? Problem.From(refusal)
                : TypedResults.NoContent();
    }

    /// <summary><c>GET /v1/backups/chunks/{number}</c>: a part of this version. Signed by the backup's key.</summary>
    private static async Task<Results<FileStreamHttpResult, ProblemHttpResult>> GetChunk(
        int number, long version, HttpContext context, SignedRequests requests, BackupStore backups, CancellationToken ct)
    {
        var request = await requests.ReadAsync(context, ct);
        if (request.Refusal is not null)
        {
            return request.Problem();
        }

        if (await backups.ReadChunkAsync(request.Id, version, number, ct) is not var (content, length))
        {
            return Problem.From(ProtocolError.NotFound);
        }

        context.Response.ContentLength = length;
        return TypedResults.Stream(content, "application/octet-stream");
    }
}
