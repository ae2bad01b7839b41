using System.Security.Cryptography;

namespace SecureChat.Client.Messages;

/// <summary>Random waits, so that neither many clients act at once nor one client's times tell much.</summary>
internal static class Jitter
{
    /// <summary>Between three quarters and five quarters of a time.</summary>
    public static TimeSpan Of(TimeSpan time) => time * 0.75 + Below(time * 0.5);

    /// <summary>Between nothing and a time.</summary>
    public static TimeSpan Below(TimeSpan time) => time * (RandomNumberGenerator.GetInt32(1_000_001) / 1_000_000.0);
}
