using SecureChat.Server.Connections;

namespace SecureChat.Server.Messages;

/// <summary>What the messages slice brings into the server.</summary>
internal static class MessagesServices
{
    public static void AddMessages(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<MessageMetrics>();
        builder.Services.AddSingleton<Postmark>();
        builder.Services.AddSingleton<Relay>();
        builder.Services.AddSingleton<SealedRelay>();
        builder.Services.AddSingleton<IFrameHandler, MessageFrames>();
        builder.Services.AddHostedService<MailSweep>();
    }
}
