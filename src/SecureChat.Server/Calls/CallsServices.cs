using SecureChat.Server.Connections;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Calls;

/// <summary>What the calls slice brings into the server.</summary>
internal static class CallsServices
{
    public static void AddCalls(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<CallsOptions, CallsOptionsValidator>("Calls");
        services.AddSingleton<RelayCredentials>();
        services.AddSingleton<RoomDoor>();
        services.AddSingleton<Rooms>().AddHostedService(provider => provider.GetRequiredService<Rooms>());
        // The rooms are made with the first socket: routes are mapped before the settings are checked.
        services.AddSingleton(provider => new AnonymousSocket(
            Rooms.Path, Rooms.Protocol, (socket, client) => provider.GetRequiredService<Rooms>().RunAsync(socket, client),
            HasOwnPages: builder.Environment.IsDevelopment()));
    }
}
