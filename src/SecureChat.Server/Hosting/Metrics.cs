using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Hosting;

/// <summary>Counts for the operator, on a port of their own. No label holds an identifier: labels are route templates, codes and store names.</summary>
internal static class Metrics
{
    /// <summary>The prefix of every meter of this server.</summary>
    public const string MeterPrefix = "SecureChat";

    public static void AddServerMetrics(this IServiceCollection services) =>
        services.AddOpenTelemetry().ConfigureResource(resource => resource.AddService("securechat-server", serviceVersion: Server.Version)).WithMetrics(metrics => metrics
            .AddMeter(MeterPrefix + ".*", "Microsoft.AspNetCore.Hosting", "System.Runtime")
            .AddPrometheusExporter());

    /// <summary>Answers <c>/metrics</c> and <c>/anomalies</c> on the management port, and nothing else there; and nothing of it anywhere else.</summary>
    /// <remarks>The port is that of the connection: a <c>Host</c> header can claim any.</remarks>
    public static void UseMetrics(this WebApplication app, ServerOptions server)
    {
        if (!ListenAddress.TryParse(server.Management, out var address))
        {
            return;
        }

        app.MapWhen(context => context.Connection.LocalPort == address.Port, management =>
        {
            management.UseOpenTelemetryPrometheusScrapingEndpoint(context => context.Request.Path == "/metrics");
            management.Run(context =>
            {
                if (context.Request.Path == AnomaliesCommand.Path)
                {
                    var suspects = app.Services.GetRequiredService<Anomalies>().Suspects;
                    var report = AnomalyReport.Of(suspects, app.Services.GetRequiredService<TimeProvider>().GetUtcNow());
                    return context.Response.WriteAsJsonAsync(report, AnomalyJson.Default.AnomalyReport, cancellationToken: context.RequestAborted);
                }

                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            });
        });
    }
}
