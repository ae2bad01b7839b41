using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Media;

/// <summary>Uploads by tus 1.0.0. Spec: docs/protocol/media.md#uploading.</summary>
/// <remarks>
/// An account announces an upload; everything after goes by the upload's key alone. Credentials that a client sends along with every request
/// are ignored there.
/// </remarks>
internal static class UploadEndpoints
{
    private const string Path = "/v1/media";

    public static void MapUploads(this IEndpointRouteBuilder app)
    {
        var media = app.MapGroup(Path).WithTags("Media").WithRetryAfter();
        media.MapMethods("/", ["OPTIONS"], Describe).AllowAnonymous().RequireLimit(RateLimits.PublicRead);
        media.MapPost("/", Create).RequireAuthorization().RequireLimit(RateLimits.CreateMedia, Detectors.UnfetchedUploads).SpeaksTus();
        var upload = media.MapGroup("/uploads/{key}").AllowAnonymous().RequireLimit(RateLimits.UploadMedia).SpeaksTus();
        upload.MapMethods("/", ["HEAD"], Offset);
        upload.MapMethods("/", ["PATCH"], Append).Accepts<byte[]>(TusHeaders.ContentType);
        upload.MapDelete("/", Remove);
        upload.MapPost("/", Override).ExcludeFromDescription();
    }

    /// <summary><c>OPTIONS /v1/media</c>: what this server can do of tus.</summary>
    private static NoContent Describe(HttpResponse response)
    {
        response.Headers["Tus-Resumable"] = TusHeaders.Version;
        response.Headers["Tus-Version"] = TusHeaders.Version;
        response.Headers["Tus-Extension"] = TusHeaders.Extensions;
        response.Headers["Tus-Checksum-Algorithm"] = TusHeaders.ChecksumAlgorithms;
        response.Headers["Tus-Max-Size"] = Number(Limits.MaxMediaBytes);
        return TypedResults.NoContent();
    }

    /// <summary><c>POST /v1/media</c>: reserves quota and room for an upload of a declared length.</summary>
    private static async Task<Results<Created, ProblemHttpResult>> Create(
        HttpContext context, Caller caller, MediaStore media, UnfetchedShare unfetched, Anomalies anomalies, CancellationToken ct)
    {
        var announced = await AnnounceAsync(context, caller.Account, media, ct);
        if (announced.Result is Created)
        {
            anomalies.Observe(Detectors.UnfetchedUploads, caller.Account.ToByteArray(bigEndian: true), unfetched.Value);
        }

        return announced;
    }

    /// <summary>What <c>POST /v1/media</c> says, charged to <paramref name="account"/>.</summary>
    internal static async Task<Results<Created, ProblemHttpResult>> AnnounceAsync(
        HttpContext context, Guid account, MediaStore media, CancellationToken ct)
    {
        if (!TusHeaders.TryNumber(context.Request, "Upload-Length", out var length) || length is 0
            || TusHeaders.ReadTerms(context.Request) is not { } terms)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        if (length > Limits.MaxMediaBytes)
        {
            return Problem.From(ProtocolError.TooLarge);
        }

        var upload = Capability.New();
        var download = upload.ToDownload();
        var reservation = await media.ReserveAsync(account, download.Hash, length, terms, ct);
        if (reservation.Refusal is { } refusal)
        {
            return Problem.From(refusal, reservation.RetryAfter);
        }

        context.Response.Headers["Upload-Expires"] = Date(reservation.Deadline);
        context.Response.Headers["Media-Id"] = download.Text;
        return TypedResults.Created($"{Path}/uploads/{upload.Text}");
    }

    /// <summary><c>HEAD /v1/media/uploads/{key}</c>: how much of it has come.</summary>
    private static async Task<Results<Ok, ProblemHttpResult>> Offset(string key, HttpResponse response, Uploads uploads, CancellationToken ct)
    {
        var (row, refusal) = await uploads.FindAsync(key, ct);
        if (row is null)
        {
            return Problem.From(refusal!);
        }

        response.Headers["Upload-Offset"] = Number(await uploads.OffsetAsync(row, ct));
        response.Headers["Upload-Length"] = Number(row.Length);
        response.Headers["Upload-Metadata"] = TusHeaders.Write(row);
        response.Headers["Upload-Expires"] = Date(row.ExpiresAt);
        if (Capability.TryParse(key, out var upload))
        {
            response.Headers["Media-Id"] = upload.ToDownload().Text;
        }

        return TypedResults.Ok();
    }

    /// <summary><c>PATCH /v1/media/uploads/{key}</c>: the next part, of any length.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Append(
        string key, HttpContext context, Uploads uploads, IOptions<MediaOptions> options, CancellationToken ct)
    {
        var request = context.Request;
        if (request.ContentType is not TusHeaders.ContentType || request.Headers.ContentEncoding.Count > 0)
        {
            return Problem.From(ProtocolError.UnsupportedMediaType);
        }

        var (row, refusal) = await uploads.FindAsync(key, ct);
        if (row is null)
        {
            return Problem.From(refusal!);
        }

        if (!TusHeaders.TryNumber(request, "Upload-Offset", out var offset) || !TusHeaders.TryChecksum(request, out var checksum))
        {
            return Problem.From(ProtocolError.Malformed);
        }

        using var _ = checksum;
        if (offset > row.Length || request.ContentLength > row.Length - offset)
        {
            return Problem.From(offset > row.Length ? ProtocolError.WrongOffset : ProtocolError.TooLarge);
        }

        Limit(context, row.Length - offset, options.Value.SlowestBytesPerSecond);
        var result = await uploads.AppendAsync(row, offset, checksum, request.BodyReader, ct);
        context.Response.Headers["Upload-Offset"] = Number(result.Offset);
        context.Response.Headers["Upload-Expires"] = Date(result.ExpiresAt);
        return result.Refusal is null ? TypedResults.NoContent() : Problem.From(result.Refusal);
    }

    /// <summary><c>DELETE /v1/media/uploads/{key}</c>: takes it back, complete or not.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Remove(string key, Uploads uploads, CancellationToken ct)
    {
        var (row, refusal) = await uploads.FindAsync(key, ct);
        if (row is null)
        {
            return Problem.From(refusal!);
        }

        await uploads.EndAsync(row, ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>POST</c> with <c>X-HTTP-Method-Override</c>, for clients that can send nothing else.</summary>
    private static async Task<IResult> Override(
        string key, HttpContext context, Uploads uploads, IOptions<MediaOptions> options, CancellationToken ct) =>
        context.Request.Headers["X-HTTP-Method-Override"] switch
        {
            [var method] when method is "PATCH" => await Append(key, context, uploads, options, ct),
            [var method] when method is "DELETE" => await Remove(key, uploads, ct),
            [var method] when method is "HEAD" => await Offset(key, context.Response, uploads, ct),
            _ => Problem.From(ProtocolError.MethodNotAllowed),
        };

    // The server's own limits are those of messages.
    private static void Limit(HttpContext context, long bytes, int slowest)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = bytes;
        }

        if (HttpProtocol.IsHttp11(context.Request.Protocol) && context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = new MinDataRate(slowest, TimeSpan.FromSeconds(10));
        }
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Date(DateTimeOffset time) => time.ToString("R", CultureInfo.InvariantCulture);
}
