using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.FileProviders;
using SecureChat.Protocol;
using SecureChat.Server.Abuse;
using SecureChat.Server.Media;

namespace SecureChat.Server.CallDemo;

/// <summary>A page for calls in the browser, to try rooms with; in Development only. What it does: docs/protocol/calls.md#the-call-page.</summary>
internal static class CallDemoEndpoints
{
    /// <summary>Only its own files, and nothing that was put into them as text.</summary>
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    /// <summary>Whose day and uploads in flight the page's files count for: nobody has this account.</summary>
    private static readonly Guid Everybody = new("00000000-0000-0000-0000-0000ca11de30");

    private static readonly EmbeddedFileProvider Files = new(typeof(CallDemoEndpoints).Assembly, "CallDemo");
    private static readonly FileExtensionContentTypeProvider Types = new();

    public static void MapCallDemo(this WebApplication app)
    {
        if (app.Environment.IsDevelopment())
        {
            app.MapGet("/call-demo", (HttpContext context) => Serve(context, "index.html"))
                .ExcludeFromDescription().AllowAnonymous().RequireLimit(RateLimits.PublicRead);
            app.MapGet("/call-demo/{file}", (HttpContext context, string file) => Serve(context, file))
                .ExcludeFromDescription().AllowAnonymous().RequireLimit(RateLimits.PublicRead);
            app.MapPost("/call-demo/media", Announce).SpeaksTus()
                .ExcludeFromDescription().AllowAnonymous().RequireLimit(RateLimits.CallDemoMedia).RefuseCredentials();
        }
    }

    /// <summary><c>POST /call-demo/media</c>: announces an upload as <c>POST /v1/media</c> does, for a page without an account.</summary>
    private static async Task<Results<Created, ProblemHttpResult>> Announce(HttpContext context, MediaStore media, CancellationToken ct)
    {
        var request = context.Request;
        return request.Headers.Origin.Count is 0 || request.Headers.Origin == $"{request.Scheme}://{request.Host}"
            ? await UploadEndpoints.AnnounceAsync(context, Everybody, media, ct)
            : Problem.From(ProtocolError.Forbidden);
    }

    private static Results<FileStreamHttpResult, ProblemHttpResult> Serve(HttpContext context, string name)
    {
        var file = Files.GetFileInfo(name);
        if (!file.Exists || !Types.TryGetContentType(name, out var type))
        {
            return Problem.From(ProtocolError.NotFound);
        }

        context.Response.Headers.ContentSecurityPolicy = ContentSecurityPolicy;
        context.Response.Headers["Permissions-Policy"] = "camera=(self), microphone=(self), display-capture=(self), geolocation=()";
        return TypedResults.Stream(file.CreateReadStream(), type);
    }
}
