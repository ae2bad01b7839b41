using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Hosting;

/// <summary>What happens to every request before its slice sees it.</summary>
internal static class Pipeline
{
    public static void AddPipeline(this IServiceCollection services)
    {
        services.AddCors();
        services.AddOptions<ForwardedHeadersOptions>().Configure<IOptions<ServerOptions>>((forwarded, server) =>
        {
            // Nobody is believed who is not listed; with nobody listed the headers are not even read.
            forwarded.KnownProxies.Clear();
            forwarded.KnownIPNetworks.Clear();
            foreach (var text in server.Value.TrustedProxies)
            {
                if (IpNetworksAttribute.TryParse(text, out var network))
                {
                    forwarded.KnownIPNetworks.Add(network);
                }
            }

            forwarded.ForwardLimit = null;
            forwarded.ForwardedHeaders = server.Value.TrustedProxies.Length > 0
                ? ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto
                : ForwardedHeaders.None;
        });
    }

    public static void UsePipeline(this WebApplication app)
    {
        var server = app.Services.GetRequiredService<IOptions<ServerOptions>>().Value;
        app.UseMetrics(server);
        app.UseForwardedHeaders();
        app.UseWebSockets();

        // What is short-circuited ends here: a socket lives long, and would keep all that follows in memory.
        app.UseRouting();
        app.Use((context, next) =>
        {
            AddHeaders(context);
            return next(context);
        });
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            ExceptionHandler = Problem.FromExceptionAsync,
            SuppressDiagnosticsCallback = failure => !Problem.IsOwn(failure.Exception),
        });
        app.UseStatusCodePages(context => Problem.FromStatusAsync(context.HttpContext));
        if (server.AllowedOrigins.Length > 0)
        {
            app.UseCors(policy => policy
                .WithOrigins(server.AllowedOrigins)
                .WithMethods("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD")
                .WithHeaders(["Authorization", "Content-Type", RequestSignature.Header, Doorkeeper.Header, "Range", "Media-Claim", .. UploadHeaders])
                .WithExposedHeaders(
                    ["Retry-After", "RateLimit", "RateLimit-Policy", "Location", "Content-Range", "Media-Id", "Media-Claim", .. UploadHeaders])
                .SetPreflightMaxAge(TimeSpan.FromHours(2)));
        }

        app.UseAuthentication();
        app.UseAuthorization();
    }

    // Of resumable uploads (tus 1.0.0).
    private static readonly string[] UploadHeaders =
    [
        "Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm", "Upload-Length", "Upload-Offset",
        "Upload-Metadata", "Upload-Checksum", "Upload-Expires", "X-HTTP-Method-Override",
    ];

    /// <summary>The headers of every answer.</summary>
    public static void AddHeaders(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.CacheControl = "no-store";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-site";
        headers.ContentSecurityPolicy = context.Request.Path.StartsWithSegments("/docs")
            ? "default-src 'self' 'unsafe-inline' data:; frame-ancestors 'none'"
            : "default-src 'none'; frame-ancestors 'none'";
        if (context.Request.IsHttps)
        {
            headers.StrictTransportSecurity = "max-age=31536000; includeSubDomains";
        }
    }
}
