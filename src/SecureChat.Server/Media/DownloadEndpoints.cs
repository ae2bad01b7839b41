using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Media;

/// <summary>Downloads, by whoever has the id. Spec: docs/protocol/media.md#downloading.</summary>
internal static class DownloadEndpoints
{
    private const string ClaimHeader = "Media-Claim";

    public static void MapDownloads(this IEndpointRouteBuilder app)
    {
        var media = app.MapGroup("/v1/media/{id}").WithTags("Media").WithRetryAfter()
            .AllowAnonymous().RequireLimit(RateLimits.DownloadMedia).RefuseCredentials();
        media.MapGet("/", Download)
            .Produces<byte[]>(StatusCodes.Status200OK, "application/octet-stream")
            .Produces<byte[]>(StatusCodes.Status206PartialContent, "application/octet-stream");
        media.MapDelete("/", Finish);
    }

    /// <summary><c>GET /v1/media/{id}</c>: takes one of the downloads; or, with <c>Media-Claim</c>, goes on with one that was taken.</summary>
    private static async Task<Results<EmptyHttpResult, ProblemHttpResult>> Download(
        string id, HttpContext context, Downloads downloads, IOptions<MediaOptions> options, CancellationToken ct)
    {
        var (row, refusal) = await downloads.FindAsync(id, ct);
        if (row is null)
        {
            return Problem.From(refusal!);
        }

        if (ByteRange.Of(context.Request, row.Length) is not { } range)
        {
            context.Response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{row.Length}");
            return Problem.From(ProtocolError.BadRange);
        }

        await using var content = await downloads.OpenAsync(row, range, ct);
        if (content is null)
        {
            return Problem.From(ProtocolError.Gone);
        }

        var (granted, claim) = await ClaimAsync(context.Request, downloads, row, range, ct);
        if (!granted)
        {
            return Problem.From(ProtocolError.Gone);
        }

        Describe(context.Response, row, range, claim);
        if (HttpProtocol.IsHttp11(context.Request.Protocol) && context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = new MinDataRate(options.Value.SlowestBytesPerSecond, TimeSpan.FromSeconds(10));
        }

        await downloads.SendAsync(row, range, content, claim, context, ct);
        return TypedResults.Empty;
    }

    /// <summary><c>DELETE /v1/media/{id}</c> with <c>Media-Claim</c>: the client has everything, and this download is over.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Finish(
        string id, HttpRequest request, Downloads downloads, CancellationToken ct)
    {
        var (row, refusal) = await downloads.FindAsync(id, ct);
        if (row is null)
        {
            return Problem.From(refusal!);
        }

        return Capability.TryParse(request.Headers[ClaimHeader], out var claim) && await downloads.FinishAsync(row, claim, ct)
            ? TypedResults.NoContent()
            : Problem.From(ProtocolError.Gone);
    }

    private static async Task<(bool Granted, Capability Claim)> ClaimAsync(
        HttpRequest request, Downloads downloads, MediaRow row, ByteRange range, CancellationToken ct)
    {
        if (request.Headers[ClaimHeader].Count is 0)
        {
            var fresh = Capability.New();
            return (await downloads.Claims.TakeAsync(row, fresh, range.Count, ct), fresh);
        }

        return Capability.TryParse(request.Headers[ClaimHeader], out var claim)
            ? (await downloads.Claims.ResumeAsync(row, claim, range.Count, ct), claim)
            : (false, Capability.New());
    }

    private static void Describe(HttpResponse response, MediaRow row, ByteRange range, Capability claim)
    {
        response.StatusCode = range.IsPart ? StatusCodes.Status206PartialContent : StatusCodes.Status200OK;
        response.ContentLength = range.Count;
        response.ContentType = "application/octet-stream";
        var headers = response.Headers;
        headers[ClaimHeader] = claim.Text;
        headers.AcceptRanges = "bytes";
        headers.ContentDisposition = "attachment";
        headers.ContentSecurityPolicy = "default-src 'none'; sandbox; frame-ancestors 'none'";
        if (range.IsPart)
        {
            headers.ContentRange = string.Create(
                CultureInfo.InvariantCulture, $"bytes {range.From}-{range.From + range.Count - 1}/{row.Length}");
        }
    }
}
