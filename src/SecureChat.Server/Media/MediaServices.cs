using SecureChat.Server.Hosting;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Media;

/// <summary>What the media slice brings into the server.</summary>
internal static class MediaServices
{
    public static void AddMedia(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<MediaOptions, MediaOptionsValidator>("Media");
        services.AddSingleton<MediaClock>();
        services.AddSingleton<MediaStore>();
        services.AddSingleton<ClaimStore>();
        services.AddSingleton<UploadTurns>();
        services.AddSingleton<UnfetchedShare>();
        services.AddSingleton<Uploads>();
        services.AddSingleton<Downloads>();
        services.AddSweep<Uploads>("media", TimeSpan.FromSeconds(10), (uploads, ct) => uploads.SweepAsync(ct));
        services.AddSweep<Uploads>("stray_media", TimeSpan.FromMinutes(10), (uploads, ct) => uploads.SweepStraysAsync(ct));
    }

    public static void MapMedia(this IEndpointRouteBuilder app)
    {
        app.MapUploads();
        app.MapDownloads();
    }
}
