using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace SecureChat.Server.Storage;

/// <summary>The stores, chosen by <see cref="StorageOptions"/>.</summary>
internal static class StorageServices
{
    public static void AddStorage(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptionsWithValidateOnStart<StorageOptions, StorageOptionsValidator>().BindConfiguration("Storage");
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => Secrets.Load(Options(provider).DataFolder));
        services.AddSingleton(OpenDatabase);
        if (builder.Configuration["Storage:Redis"] is { Length: > 0 } redis)
        {
            services.AddSingleton<IConnectionMultiplexer>(_ => ConnectionMultiplexer.Connect(redis));
            services.AddSingleton<IHotStore, RedisHotStore>();
            services.AddSingleton<IMessageQueue>(provider => new RedisMessageQueue(
                provider.GetRequiredService<IConnectionMultiplexer>(), new QueueCaps(5000, 32 << 20),
                provider.GetRequiredService<TimeProvider>()));
        }
        else
        {
            services.AddSingleton<IHotStore, MemoryHotStore>();
            services.AddSingleton<IMessageQueue>(provider => new SqliteMessageQueue(
                FileIn(provider, "queues.db"), new QueueCaps(5000, 32 << 20), survivesPowerLoss: false, TimeSpan.FromMilliseconds(1),
                provider.GetRequiredService<TimeProvider>()));
        }
    }

    private static Database OpenDatabase(IServiceProvider provider)
    {
        var (postgres, file) = (Options(provider).Postgres, FileIn(provider, "directory.db"));
        Migrations.Apply(postgres, file);
        return new Database(postgres, file);
    }

    private static string FileIn(IServiceProvider provider, string name)
    {
        var folder = Options(provider).DataFolder;
        Directory.CreateDirectory(folder);
        return Path.Combine(folder, name);
    }

    private static StorageOptions Options(IServiceProvider provider) =>
        provider.GetRequiredService<IOptions<StorageOptions>>().Value;
}
