using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using SecureChat.Server.Hosting;
using Npgsql;
using StackExchange.Redis;

namespace SecureChat.Server.Storage;

/// <summary>The stores by configuration: embedded on one machine, PostgreSQL and Redis on many.</summary>
internal static class StorageServices
{
    // Long enough for most acknowledgements of connected devices, short enough not to be noticed by a sender.
    private static readonly TimeSpan AckPatience = TimeSpan.FromMilliseconds(50);

    public static void AddStorage(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<StorageOptions, StorageOptionsValidator>("Storage");
        services.AddSingleton<IValidateOptions<StorageOptions>, ConnectionStringsValidator>();
        services.AddSettings<MailOptions, MailOptionsValidator>("Messages");
        services.TryAddSingleton(TimeProvider.System);
        services.AddSettings<SecretsOptions, SecretsOptionsValidator>("Secrets");
        services.AddSingleton(provider => Secrets.Load(
            provider.GetRequiredService<IOptions<SecretsOptions>>().Value, OptionsOf(provider).DataFolder));
        services.AddSingleton(OpenDirectory);
        services.AddSingleton(OpenQueue);
        services.AddSingleton(OpenHotStore);
        services.AddSettings<BlobOptions, BlobOptionsValidator>("Blobs");
        services.AddSingleton(OpenBlobs);
        services.AddStoreCheck<Database>("directory", async (db, ct) => await db.FirstOrDefaultAsync<long>($"SELECT 1", ct));
        services.AddStoreCheck<IMessageQueue>("queues", (queue, ct) => queue.PingAsync(ct));
        services.AddStoreCheck<IHotStore>("hot", (hot, ct) => hot.PingAsync(ct));
        services.AddStoreCheck<IBlobStore>("blobs", (blobs, ct) => blobs.PingAsync(ct));
        services.AddSingleton<IConnectionMultiplexer>(ConnectRedis);
        services.AddSingleton<NodeNotices>();
        services.AddSingleton<Mailbox>();
        services.AddHostedService<StorageStart>();

        services.AddSingleton<QueueSweep>();
        services.AddSweep<QueueSweep>("envelopes", TimeSpan.FromSeconds(10), (sweep, ct) => sweep.RunAsync(ct));
        services.AddSweep<IHotStore>("short_lived_state", TimeSpan.FromSeconds(30), (hot, ct) => hot.ExpireAsync(ct));
        services.AddSweep<Database>("directory_log", TimeSpan.FromHours(1), (db, ct) => db.EmptyLogAsync(ct));
        services.AddSingleton<Reaper>();
        services.AddHostedService(provider => provider.GetRequiredService<Reaper>());
    }

    /// <summary>Has the server be ready only while <paramref name="pingAsync"/> does not throw.</summary>
    public static void AddStoreCheck<TStore>(
        this IServiceCollection services, string name, Func<TStore, CancellationToken, Task> pingAsync)
        where TStore : notnull =>
        services.AddSingleton(provider =>
        {
            var store = provider.GetRequiredService<TStore>();
            return new StoreCheck(name, ct => pingAsync(store, ct));
        });

    /// <summary>Has the <see cref="Reaper"/> call <paramref name="removeAsync"/>, which returns how much it removed.</summary>
    public static void AddSweep<TStore>(
        this IServiceCollection services, string name, TimeSpan every, Func<TStore, CancellationToken, Task<int>> removeAsync)
        where TStore : notnull =>
        services.AddSingleton(provider =>
        {
            var store = provider.GetRequiredService<TStore>();
            return new Sweep(name, every, ct => removeAsync(store, ct));
        });

    private static StorageOptions OptionsOf(IServiceProvider provider) =>
        provider.GetRequiredService<IOptions<StorageOptions>>().Value;

    private static Database OpenDirectory(IServiceProvider provider)
    {
        var options = OptionsOf(provider);
        var file = options.FileOf(StorageOptions.DirectoryFile);
        if (options.Postgres.Length == 0)
        {
            OwnerOnly.CreateFile(file);
        }

        return new Database(options.Postgres, file);
    }

    private static IMessageQueue OpenQueue(IServiceProvider provider)
    {
        var options = OptionsOf(provider);
        var time = provider.GetRequiredService<TimeProvider>();
        if (options.Redis.Length > 0)
        {
            return new RedisMessageQueue(provider.GetRequiredService<IConnectionMultiplexer>(), options.QueueCaps, time);
        }

        var file = options.FileOf(StorageOptions.QueueFile);
        try
        {
            return new SqliteMessageQueue(file, options.QueueCaps, options.QueueSurvivesPowerLoss, AckPatience, time);
        }
        catch (SqliteException failure)
        {
            throw StorageStart.Damaged(file, failure);
        }
    }

    private static IHotStore OpenHotStore(IServiceProvider provider) =>
        OptionsOf(provider).Redis.Length > 0
            ? new RedisHotStore(provider.GetRequiredService<IConnectionMultiplexer>())
            : new MemoryHotStore(provider.GetRequiredService<TimeProvider>());

    private static IBlobStore OpenBlobs(IServiceProvider provider)
    {
        var options = provider.GetRequiredService<IOptions<BlobOptions>>().Value;
        var folder = OptionsOf(provider).FileOf(options.Folder);
        return options.S3Endpoint.Length > 0
            ? S3Blobs.Open(options, folder, provider.GetRequiredService<ILogger<S3Blobs>>())
            : new FileBlobs(folder, options.SurvivesPowerLoss);
    }

    private static ConnectionMultiplexer ConnectRedis(IServiceProvider provider)
    {
        var redis = ConfigurationOptions.Parse(OptionsOf(provider).Redis);

        // The connection is made in the background; StorageStart waits for it where its attempts are visible.
        redis.AbortOnConnectFail = false;
        redis.ConnectTimeout = 2000;
        redis.ConnectRetry = 1;

        // A failure is logged, and what it tells by default has the names of keys in it.
        redis.IncludeDetailInExceptions = false;
        return ConnectionMultiplexer.Connect(redis);
    }

    private sealed class ConnectionStringsValidator : IValidateOptions<StorageOptions>
    {
        public ValidateOptionsResult Validate(string? name, StorageOptions options)
        {
            if (!IsPostgres(options.Postgres))
            {
                return ValidateOptionsResult.Fail(
                    "Storage:Postgres is not a PostgreSQL connection string. " +
                    "Example: Host=localhost;Database=securechat;Username=securechat;Password=…");
            }

            return IsRedis(options.Redis)
                ? ValidateOptionsResult.Success
                : ValidateOptionsResult.Fail(
                    "Storage:Redis is not a Redis connection string. Example: localhost:6379,password=…");
        }

        private static bool IsPostgres(string text)
        {
            try
            {
                return text.Length == 0 || new NpgsqlConnectionStringBuilder(text).Host is { Length: > 0 };
            }
            catch (ArgumentException)
            {
                return false;
            }
        }

        private static bool IsRedis(string text)
        {
            try
            {
                return text.Length == 0 || ConfigurationOptions.Parse(text).EndPoints.Count > 0;
            }
            catch (ArgumentException)
            {
                return false;
            }
        }
    }
}
