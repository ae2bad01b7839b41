namespace SecureChat.Server.Accounts;

internal static partial class AccountsLog
{
    [LoggerMessage(LogLevel.Information, "An account was registered")]
    public static partial void AccountRegistered(this ILogger log);

    [LoggerMessage(LogLevel.Information, "An account was registered again; its other devices were removed")]
    public static partial void AccountTakenOver(this ILogger log);

    [LoggerMessage(LogLevel.Warning, "A used refresh token came back; the device's credentials were ended")]
    public static partial void RefreshTokenReused(this ILogger log);

    [LoggerMessage(LogLevel.Warning, "A one-time code could not be sent: {Error}")]
    public static partial void OtpNotSent(this ILogger log, string error);
}
