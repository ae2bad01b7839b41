using SecureChat.Server.Connections;

namespace SecureChat.Server.Calls;

/// <summary>What the calls slice brings into the server.</summary>
internal static class CallsServices
{
    public static void AddCalls(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<RoomDoor>();
        services.AddSingleton<Rooms>().AddHostedService(provider => provider.GetRequiredService<Rooms>());
        services.AddSingleton<IAnonymousSocket>(provider => provider.GetRequiredService<Rooms>());
    }
}
