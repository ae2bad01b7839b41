using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.FileProviders;
using SecureChat.Protocol;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.CallDemo;

/// <summary>A page for calls in the browser, to try rooms with; in Development only. What it does: docs/protocol/calls.md#the-call-page.</summary>
internal static class CallDemoEndpoints
{
    /// <summary>Only its own files, and nothing that was put into them as text.</summary>
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

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
        }
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
