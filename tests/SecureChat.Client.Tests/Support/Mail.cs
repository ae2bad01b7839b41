using SecureChat.Client.Testing;

namespace SecureChat.Client.Tests.Support;

/// <summary>What is under way to somebody.</summary>
internal static class Mail
{
    /// <summary>Loses everything for an account on its way to the server.</summary>
    public static void LoseFor(this FaultyNetwork network, Guid account) => network.Delay = async (request, ct) =>
    {
        if (await IsForAsync(request, account, ct))
        {
            throw new HttpRequestException("Lost.");
        }
    };

    /// <summary>Calls back for each message that is sent to an account.</summary>
    public static void CountFor(this FaultyNetwork network, Guid account, Action sent) => network.Delay = async (request, ct) =>
    {
        if (await IsForAsync(request, account, ct))
        {
            sent();
        }
    };

    public static void Mend(this FaultyNetwork network) => network.Delay = (_, _) => Task.CompletedTask;

    private static async Task<bool> IsForAsync(HttpRequestMessage request, Guid account, CancellationToken ct) =>
        request.RequestUri!.AbsolutePath is "/v1/messages" or "/v1/sealed/messages"
        && (await request.Content!.ReadAsStringAsync(ct)).Contains(account.ToString(), StringComparison.OrdinalIgnoreCase);
}
