using SecureChat.Client;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;

namespace InTheBrowser;

/// <summary>Alice and Bob, each with a device and a store of their own in this page.</summary>
internal static class TwoPeople
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>What each read, a line each; or a line "failed" and the reason.</summary>
    public static async Task<string> TalkAsync(Uri api, string firstInvite, string secondInvite)
    {
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            var server = new ServerAddress(api);
            server = server with { TrustRoots = [await ChatClient.FetchTrustRootAsync(server, new SystemNetwork(), limit.Token)] };
            await using var alice = await SignUpAsync(server, firstInvite, limit.Token);
            await using var bob = await SignUpAsync(server, secondInvite, limit.Token);
            await alice.SendAsync(bob.Account, "from Alice's browser", limit.Token);
            var toBob = await ReadAsync(bob, limit.Token);
            await bob.SendAsync(alice.Account, "from Bob's browser", limit.Token);
            return $"{toBob}\n{await ReadAsync(alice, limit.Token)}";
        }
#pragma warning disable CA1031 // Whatever went wrong is for whoever waits for the result.
        catch (Exception e)
        {
            return $"failed\n{e}";
        }
#pragma warning restore CA1031
    }

    private static async Task<ChatClient> SignUpAsync(ServerAddress server, string invite, CancellationToken ct)
    {
        // A real page brings a store on IndexedDB: what is in memory goes with the page.
        var options = new ChatOptions(server, new MemoryStore()) { OneTimeKeys = 5 };
        var client = await ChatClient.SignUpAsync(options, SignUpProof.Invite(invite), ct);
        await client.ConnectAsync(ct);
        return client;
    }

    private static async Task<string?> ReadAsync(ChatClient client, CancellationToken ct)
    {
        await foreach (var told in client.EventsAsync(ct))
        {
            if (told is MessageReceived { Message: var message })
            {
                return message.Text;
            }
        }

        return null;
    }
}
