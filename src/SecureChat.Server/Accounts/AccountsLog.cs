namespace SecureChat.Server.Accounts;

internal static partial class AccountsLog
{
    [LoggerMessage(LogLevel.Information, "An account was registered")]
    public static partial void AccountRegistered(this ILogger log);

    [LoggerMessage(LogLevel.Information, "An account was registered again; its other devices were removed")]
    public static partial void AccountTakenOver(this ILogger log);

    [LoggerMessage(LogLevel.Warning, "A used refresh token came back; the device's credentials were ended")]
    public static partial void RefreshTokenReused(this ILogger log);

    [LoggerMessage(LogLevel.Error, "One-time codes are refused: Otp:MaxPerDay or Otp:MaxPerRangePerDay is used up. See 'securechat-server anomalies'")]
    public static partial void CodeBudgetSpent(this ILogger log);

    [LoggerMessage(LogLevel.Warning, "What came for a deleted account at the last moment stays until it expires: {Error}")]
    public static partial void NotClearedAgain(this ILogger log, string error);

    [LoggerMessage(LogLevel.Warning, "A one-time code could not be sent: {Error}")]
    public static partial void OtpNotSent(this ILogger log, string error);
}
