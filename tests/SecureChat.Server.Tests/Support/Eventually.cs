namespace SecureChat.Server.Tests.Support;

/// <summary>Asks again until the answer is the expected one, for what happens soon but not at once.</summary>
internal static class Eventually
{
    /// <returns>The last answer, for an assertion to show when it never came.</returns>
    public static async Task<T> IsAsync<T>(T expected, Func<Task<T>> askAsync)
    {
        var answer = await askAsync();
        for (var attempt = 0; attempt < 200 && !EqualityComparer<T>.Default.Equals(answer, expected); attempt++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, TestContext.Current.CancellationToken);
            answer = await askAsync();
        }

        return answer;
    }

    /// <summary>What comes of the first try that does not fail.</summary>
    public static async Task<T> ComesAsync<T>(Func<Task<T>> tryAsync)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await tryAsync();
            }
            catch (System.Net.WebSockets.WebSocketException) when (attempt < 100)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, TestContext.Current.CancellationToken);
            }
        }
    }
}
