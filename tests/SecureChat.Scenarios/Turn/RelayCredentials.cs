using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios.Turn;

/// <summary>What a credential for a relay is good for, how often and how long.</summary>
public sealed class RelayCredentials(Worlds worlds, LibsignalPeer peer, ITestOutputHelper output)
{
    private const int OfOneCredential = 12;
    private const int InAll = 1200;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task T14_one_credential_begins_twelve_allocations_and_no_more()
    {
        await using var calls = await RelayedCalls.StartAsync(worlds, peer, Ct);
        var clients = new List<TurnClient>();

        var codes = await AllocateAsync(calls, await calls.CredentialAsync(Ct), OfOneCredential + 1, clients);
        var others = await AllocateAsync(calls, await calls.CredentialAsync(Ct), 1, clients);

        await EndAsync(clients);
        Assert.Equal([.. Enumerable.Repeat(0, OfOneCredential), 486], codes);
        Assert.Equal([0], others);
    }

    [Fact]
    public async Task T14_all_credentials_together_begin_twelve_hundred_allocations_and_no_more()
    {
        await using var calls = await RelayedCalls.StartAsync(worlds, peer, Ct);
        var clients = new List<TurnClient>();
        var codes = new List<int>();

        while (clients.Count < InAll)
        {
            codes.AddRange(await AllocateAsync(calls, await calls.CredentialAsync(Ct), 10, clients));
        }

        var further = await AllocateAsync(calls, await calls.CredentialAsync(Ct), 1, clients);
        await EndAsync(clients);
        Assert.Equal(InAll, codes.Count(code => code is 0));
        Assert.Equal([486], further);
    }

    [Fact]
    public async Task T15_forged_and_altered_credentials_begin_nothing()
    {
        await using var calls = await RelayedCalls.StartAsync(worlds, peer, Ct);
        var genuine = await calls.CredentialAsync(Ct);
        var expires = long.Parse(genuine.Username.Split(':')[0], CultureInfo.InvariantCulture);
        var name = genuine.Username.Split(':')[1];
        TurnCredential[] forged =
        [
            genuine with { Username = $"{expires + 1}:{name}" },
            genuine with { Username = $"{expires}:{name}x" },
            genuine with { Username = name },
            genuine with { Username = "" },
            genuine with { Password = "" },
            genuine with { Password = genuine.Username },
            Signed($"{expires}:{name}", Coturn.NewSecret()),
            Signed($"{expires}:{name}", ""),
            Signed($"{expires}:{name}", "turn.example.org"),
        ];

        var codes = new List<int>();
        foreach (var credential in forged.Append(genuine))
        {
            await using var client = await TurnClient.ConnectAsync(calls.Udp, credential, Ct);
            codes.Add(await client.AllocateAsync(Ct));
        }

        Assert.All(codes[..^1], code => Assert.InRange(code, 400, 401));
        Assert.Equal(0, codes[^1]);
    }

    [Fact]
    public async Task T15_a_request_that_was_overheard_is_worth_nothing_to_another()
    {
        await using var calls = await RelayedCalls.StartAsync(worlds, peer, Ct);
        await using var alice = await calls.AllocatedAsync(Ct);
        await using var mallory = await TurnClient.ConnectAsync(calls.Udp, await calls.CredentialAsync(Ct), Ct);

        var first = StunMessage.Read(await mallory.ExchangeAsync(alice.LastRequest, Ct));
        var again = StunMessage.Read(await mallory.ExchangeAsync(alice.LastRequest, Ct));
        alice.Credential = await calls.CredentialAsync(Ct);
        var foreign = await alice.RefreshAsync(Ct);

        Assert.Equal((438, 438), (first.ErrorCode, again.ErrorCode));
        Assert.InRange(foreign, 400, 499);
    }

    /// <summary>coturn runs on the machine's clock: this waits for 10 seconds, the shortest life that the server gives.</summary>
    [Fact]
    public async Task T15_an_expired_credential_begins_nothing_and_a_call_that_has_begun_goes_on()
    {
        await using var calls = await RelayedCalls.StartAsync(
            worlds, peer, Ct, TimeSpan.FromSeconds(10), [$"--allowed-peer-ip={RelayedCalls.Own}", "--stale-nonce=4"]);
        await using var alice = await calls.AllocatedAsync(Ct);
        await using var bob = await calls.AllocatedAsync(Ct, calls.Tls);
        var expired = alice.Credential;

        await Task.Delay(TimeSpan.FromSeconds(12), TimeProvider.System, Ct);
        await using var late = await TurnClient.ConnectAsync(calls.Udp, expired, Ct);
        var tooLate = await late.AllocateAsync(Ct);
        var kept = (await alice.RefreshAsync(Ct), await bob.RefreshAsync(Ct));
        var permitted = (await alice.PermitAsync(bob.Relayed, Ct), await bob.PermitAsync(alice.Relayed, Ct));
        output.WriteLine($"new {tooLate}, refreshed {kept}, permitted {permitted}");

        Assert.Equal(401, tooLate);
        Assert.Equal(((0, 0), (0, 0)), (kept, permitted));
        await alice.SendAsync(bob.Relayed, "still here"u8.ToArray(), Ct);
        Assert.Equal("still here"u8.ToArray(), await bob.Received.ReadAsync(Ct));
        await using var anew = await calls.AllocatedAsync(Ct);
    }

    [Fact]
    public async Task Credentials_of_both_secrets_are_good_while_one_takes_the_place_of_the_other()
    {
        var (current, next) = (Coturn.NewSecret(), Coturn.NewSecret());
        await using var calls = await RelayedCalls.StartAsync(worlds, peer, Ct, secrets: [current, next]);
        var issued = await calls.CredentialAsync(Ct);
        TurnCredential[] credentials = [issued, Signed(issued.Username, current), Signed(issued.Username, next), Signed(issued.Username, "x")];

        var codes = new List<int>();
        foreach (var credential in credentials)
        {
            await using var client = await TurnClient.ConnectAsync(calls.Udp, credential, Ct);
            codes.Add(await client.AllocateAsync(Ct));
        }

        Assert.Equal(credentials[0], credentials[1]);
        Assert.Equal([0, 0, 0, 401], codes);
    }

    [Fact]
    public async Task A_secret_is_changed_while_a_call_is_up_and_neither_that_call_nor_the_next_notices()
    {
        var (current, next) = (Coturn.NewSecret(), Coturn.NewSecret());
        await using var calls = await RelayedCalls.StartAsync(
            worlds, peer, Ct, more: [$"--allowed-peer-ip={RelayedCalls.Own}", "--stale-nonce=2"], secrets: [current, next]);
        await using var old = await calls.AllocatedAsync(Ct);
        var issued = old.Credential;

        await calls.ChangeSecretAsync(next, Ct);
        await using var fresh = await calls.AllocatedAsync(Ct);
        await using var late = await TurnClient.ConnectAsync(calls.Udp, issued, Ct);
        await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System, Ct);

        Assert.Equal((Signed(issued.Username, current), Signed(fresh.Credential.Username, next)), (issued, fresh.Credential));
        Assert.Equal((0, 0), (await old.RefreshAsync(Ct), await late.AllocateAsync(Ct)));
        Assert.Equal((0, 0), (await old.PermitAsync(fresh.Relayed, Ct), await fresh.PermitAsync(old.Relayed, Ct)));
        await old.SendAsync(fresh.Relayed, "still here"u8.ToArray(), Ct);
        Assert.Equal("still here"u8.ToArray(), await fresh.Received.ReadAsync(Ct));
    }

    [Fact]
    public async Task T15_who_proves_nothing_gets_small_answers()
    {
        const int Headers = 28;
        await using var calls = await RelayedCalls.StartAsync(worlds, peer, Ct);
        await using var stranger = await TurnClient.ConnectAsync(calls.Udp, new TurnCredential("", ""), Ct);
        var allocate = StunMessage.Request(TurnMethod.Allocate).With(StunAttribute.RequestedTransport, [17, 0, 0, 0]).Write(null);
        var binding = StunMessage.Request(TurnMethod.Binding).Write(null);

        var answers = (Allocate: (await stranger.ExchangeAsync(allocate, Ct)).Length, Binding: (await stranger.ExchangeAsync(binding, Ct)).Length);

        var growth = (double)(answers.Allocate + Headers) / (allocate.Length + Headers);
        var ofBinding = (double)(answers.Binding + Headers) / (binding.Length + Headers);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{answers}: {growth:0.00} and {ofBinding:0.00} times what was sent"));
        Assert.InRange(ofBinding, 0, 1.5);
        Assert.InRange(growth, 0, 2.5);
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5350", Justification = "The format is coturn's.")]
    private static TurnCredential Signed(string username, string secret) =>
        new(username, Convert.ToBase64String(HMACSHA1.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(username))));

    private static async Task<List<int>> AllocateAsync(RelayedCalls calls, TurnCredential credential, int count, List<TurnClient> clients)
    {
        var codes = new List<int>();
        for (var i = 0; i < count; i++)
        {
            clients.Add(await TurnClient.ConnectAsync(calls.Udp, credential, Ct));
            codes.Add(await clients[^1].AllocateAsync(Ct));
        }

        return codes;
    }

    private static async Task EndAsync(List<TurnClient> clients)
    {
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }
}
