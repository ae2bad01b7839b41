using SecureChat.Server.Hosting;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Abuse;

/// <summary>What the abuse slice brings into the server.</summary>
internal static class AbuseServices
{
    public static void AddAbuse(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<LimitsOptions, LimitsOptionsValidator>("Limits");
        services.AddSingleton<HourlyNames>();
        services.AddSingleton<RateLimiter>();
        services.AddSingleton<SignedRequests>();
        services.AddSingleton(_ => new OneMoment(TimeProvider.System));
        services.AddSingleton<AnomalyMetrics>();
        services.AddSingleton(provider => new ActorNames(
            provider.GetRequiredService<Secrets>().IdentifierKey, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<Anomalies>().AddHostedService(provider => provider.GetRequiredService<Anomalies>());
        services.AddSingleton<ProofOfWork>();
        services.AddSingleton<Doorkeeper>();
    }
}
