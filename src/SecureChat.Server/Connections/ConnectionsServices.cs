using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace SecureChat.Server.Connections;

/// <summary>What the connections slice brings into the server.</summary>
internal static class ConnectionsServices
{
    public static void AddConnections(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<Tickets>();
        services.AddSingleton<SocketAdmission>();
        services.AddSingleton<SocketHandler>();
        services.AddSingleton<SessionTable>().AddHostedService(provider => provider.GetRequiredService<SessionTable>());

        services.AddHostedService(provider => new HeapCompaction(
            () => provider.GetRequiredService<SessionTable>().Count,
            () => GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true),
            provider.GetRequiredService<TimeProvider>()));

        // Frames are small and handled at once: another hop through the thread pool would cost more than they do.
        services.Configure<SocketTransportOptions>(transport => transport.UnsafePreferInlineScheduling = true);
    }
}
