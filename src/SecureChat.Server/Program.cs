using SecureChat.Protocol;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;

namespace SecureChat.Server;

internal static class Program
{
    private static void Main(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        AddServices(builder);
        var app = builder.Build();
        MapEndpoints(app);
        app.Run();
    }

    /// <summary>The services of every slice; tests start the same server.</summary>
    internal static void AddServices(IHostApplicationBuilder builder)
    {
        // The framework logs every request's URL by default.
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        builder.Services.ConfigureHttpJsonOptions(options => ProtocolJson.Apply(options.SerializerOptions));
        builder.AddStorage();
        builder.AddAccounts();
    }

    /// <summary>The pipeline and the routes of every slice.</summary>
    internal static void MapEndpoints(WebApplication app)
    {
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            ExceptionHandler = Problem.FromExceptionAsync,

            // A client's mistake is no failure of the server, and its message may quote the body.
            SuppressDiagnosticsCallback = failure => failure.Exception is BadHttpRequestException,
        });
        app.UseStatusCodePages(context => Problem.FromStatusAsync(context.HttpContext));
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapAccounts();
    }
}
