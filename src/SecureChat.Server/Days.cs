namespace SecureChat.Server;

/// <summary>Dates as the directory keeps them: no hour, so that nobody's day can be read from it.</summary>
internal static class Days
{
    public static long Since1970(DateTimeOffset time) => time.ToUnixTimeSeconds() / 86_400;

    public static DateOnly ToDate(long days) => DateOnly.FromDateTime(DateTime.UnixEpoch).AddDays((int)days);
}
