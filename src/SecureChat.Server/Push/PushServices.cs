using System.Net;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using SecureChat.Server.Hosting;
using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server.Push;

/// <summary>What the push slice brings into the server.</summary>
internal static class PushServices
{
    public static void AddPush(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<PushOptions, PushOptionsValidator>("Push");
        services.TryAddSingleton<ResolveHost>(_ => Dns.GetHostAddressesAsync);
        services.AddSingleton<EndpointGuard>();
        services.AddSingleton<VapidKeys>();
        services.AddSingleton<IPushSender, WebPushSender>();
        services.AddSingleton<IPushSender, FcmSender>();
        services.AddSingleton<IPushSender, ApnsSender>();
        services.AddSingleton<PushMetrics>();
        services.AddSingleton<PushSubscriptions>();
        services.AddSingleton(OpenOutbox);
        services.AddStoreCheck<IPushOutbox>("push", (outbox, ct) => outbox.PingAsync(ct));
        services.AddSingleton<WakeUps>();
        services.AddSingleton<IWakeUp>(provider => provider.GetRequiredService<WakeUps>());
        services.AddHostedService<PushWorker>();
    }

    private static IPushOutbox OpenOutbox(IServiceProvider provider)
    {
        var storage = provider.GetRequiredService<IOptions<StorageOptions>>().Value;
        var time = provider.GetRequiredService<TimeProvider>();
        if (storage.Redis.Length > 0)
        {
            return new RedisPushOutbox(provider.GetRequiredService<IConnectionMultiplexer>(), time);
        }

        var file = storage.FileOf(StorageOptions.PushFile);
        try
        {
            return new SqlitePushOutbox(file, time);
        }
        catch (SqliteException failure)
        {
            throw StorageStart.Damaged(file, failure);
        }
    }
}
