using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Scalar.AspNetCore;
using SecureChat.Protocol;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Hosting;

/// <summary>The OpenAPI description: served, written by the build to <c>docs/openapi.json</c>, and read by people at <c>/docs</c> in Development.</summary>
internal static class ApiDescription
{
    public static void AddApiDescription(this IServiceCollection services) =>
        services.AddOpenApi("v1", options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            options.AddDocumentTransformer((document, _, _) =>
            {
                document.Info = new OpenApiInfo
                {
                    Title = "secureChat",
                    Version = "v1",
                    Description = "Prose: docs/protocol/. Refusals are RFC 9457 problem documents; branch on `code` only.",
                    License = new OpenApiLicense { Name = "MIT", Identifier = "MIT" },
                };
                document.Servers = [new OpenApiServer { Url = "http://localhost:8080" }];
                document.Components ??= new OpenApiComponents();
                document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
                {
                    ["bearer"] = new OpenApiSecurityScheme
                    {
                        Type = SecuritySchemeType.Http,
                        Scheme = "bearer",
                        BearerFormat = "JWT",
                    },
                };
                return Task.CompletedTask;
            });
            options.AddOperationTransformer(DescribeAsync);
        });

    public static void MapApiDescription(this WebApplication app)
    {
        app.MapOpenApi().AllowAnonymous().RequireLimit(RateLimits.PublicRead);
        if (app.Environment.IsDevelopment())
        {
            app.MapScalarApiReference("/docs", options => options.DisableDefaultFonts()).AllowAnonymous();
        }
    }

    // Every operation can refuse with a problem; those behind credentials say so.
    private static Task DescribeAsync(
        OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken ct)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        var isAnonymous = metadata.OfType<Microsoft.AspNetCore.Authorization.IAllowAnonymous>().Any();
        if (!isAnonymous && metadata.OfType<Microsoft.AspNetCore.Authorization.IAuthorizeData>().Any())
        {
            operation.Security =
            [
                new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("bearer", context.Document)] = [] },
            ];
        }

        operation.Responses ??= [];
        operation.Responses["default"] = new OpenApiResponse
        {
            Description = $"A problem document; `code` is one of the table in docs/protocol/errors.md ({ProtocolError.All.Count} codes).",
        };
        return Task.CompletedTask;
    }
}
