using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Protocol.Calls;
using SecureChat.Server.Calls;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Calls;

/// <summary>STUN and TURN servers for calls. Spec: docs/protocol/calls.md#relays.</summary>
public sealed class RelaysTests
{
    private const string Secret = "not a secret, but as long as one has to be";

    private static readonly (string, string)[] TwoRegions =
    [
        ("Calls:TurnSecret", Secret),
        ("Calls:Relays:europe:0", "turn:eu.example.org:3478?transport=udp"),
        ("Calls:Relays:europe:1", "turns:eu.example.org:5349?transport=tcp"),
        ("Calls:Relays:europe:2", "stun:eu.example.org:3478"),
        ("Calls:Relays:asia:0", "turn:as.example.org"),
    ];

    [Fact]
    public async Task A_call_gets_every_region_with_credentials_that_coturn_can_check()
    {
        await using var node = await Node.StartAsync(TwoRegions);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");

        var relays = await (await ada.Http.PostAsync("/v1/calls/relays", new { })).ReadAsync<CallRelays>();

        Assert.Equal(["asia", "europe", "europe"], relays.IceServers.Select(server => server.Region).Order());
        var stun = Assert.Single(relays.IceServers, server => server.Credential is null);
        Assert.Equal(("stun:eu.example.org:3478", null), (Assert.Single(stun.Urls), stun.Username));
        var europe = relays.IceServers.Single(server => server is { Region: "europe", Credential: not null });
        Assert.Equal(["turn:eu.example.org:3478?transport=udp", "turns:eu.example.org:5349?transport=tcp"], europe.Urls);
        Assert.Equal(Convert.ToBase64String(Hmac(europe.Username!)), europe.Credential);
        Assert.Equal(600, relays.ExpiresIn);
        Assert.Equal(
            node.Clock.GetUtcNow().AddMinutes(10).ToUnixTimeSeconds(), long.Parse(europe.Username!.Split(':')[0], CultureInfo.InvariantCulture));
    }

    [Fact]
    public async Task T14_two_calls_of_one_account_have_nothing_in_common_and_do_not_name_it()
    {
        await using var node = await Node.StartAsync(TwoRegions);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");

        var names = new HashSet<string>();
        for (var i = 0; i < 20; i++)
        {
            var relays = await (await ada.Http.PostAsync("/v1/calls/relays", new { })).ReadAsync<CallRelays>();
            Assert.All(relays.IceServers.Where(server => server.Username is not null), server => Assert.True(names.Add(server.Username!.Split(':')[1])));
        }

        var forms = new[] { ada.Account.ToString(), ada.Account.ToString("N"), Convert.ToBase64String(ada.Account.ToByteArray(bigEndian: true)) };
        Assert.DoesNotContain(names, name => forms.Any(form => name.Contains(form[..8], StringComparison.OrdinalIgnoreCase)));
    }

    [Fact]
    public async Task T14_two_hundred_requests_in_a_minute_get_a_handful_of_credentials()
    {
        await using var node = await Node.StartAsync([.. TwoRegions, ("Limits:Scale", "1")]);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");

        var outcomes = new List<string>();
        for (var i = 0; i < 200; i++)
        {
            node.Clock.Advance(TimeSpan.FromSeconds(0.3));
            outcomes.Add(await (await ada.Http.PostAsync("/v1/calls/relays", new { })).OutcomeAsync());
        }

        Assert.InRange(outcomes.Count(outcome => outcome is "200"), 20, 22);
        Assert.All(outcomes.Where(outcome => outcome is not "200"), outcome => Assert.Equal("429 rate_limited", outcome));
    }

    [Fact]
    public async Task T14_ten_accounts_of_one_network_get_no_more_than_the_network_may()
    {
        await using var node = await LoopbackNode.StartAsync(
            "--Limits:Scale=1", $"--Calls:TurnSecret={Secret}", "--Calls:Relays:europe:0=turn:eu.example.org:3478?transport=udp");
        var began = Stopwatch.GetTimestamp();
        var granted = new List<int>();

        for (var account = 0; account < 10; account++)
        {
            using var http = node.As(await node.NewDeviceAsync());
            var outcomes = new List<string>();
            for (var call = 0; call < 20; call++)
            {
                outcomes.Add(await (await http.PostAsync("/v1/calls/relays", new { })).OutcomeAsync());
            }

            Assert.All(outcomes, outcome => Assert.Matches("^(200|429 rate_limited)$", outcome));
            granted.Add(outcomes.Count(outcome => outcome is "200"));
        }

        // A hundred, and one more every three seconds.
        Assert.InRange(granted.Sum(), 100, 101 + (Stopwatch.GetElapsedTime(began).TotalSeconds / 3));
        Assert.Equal(20, granted[0]);
    }

    [Fact]
    public async Task Strangers_get_no_relays_and_a_server_without_any_says_so()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");

        Assert.Equal("401 unauthorized", await (await node.Http.PostAsync("/v1/calls/relays", new { })).OutcomeAsync());
        Assert.Empty((await (await ada.Http.PostAsync("/v1/calls/relays", new { })).ReadAsync<CallRelays>()).IceServers);
    }

    [Theory]
    [InlineData("Development", null, true)]
    [InlineData("Production", null, false)]
    [InlineData("Production", "true", true)]
    [InlineData("Development", "false", false)]
    public async Task Rooms_give_relays_where_the_operator_wants_it(string environment, string? setting, bool given)
    {
        (string, string)[] settings = [.. TwoRegions, ("Environment", environment), ("Calls:RelaysForRooms", setting ?? "")];
        await using var node = await Node.StartAsync(setting is null ? settings[..^1] : settings);

        await using var ada = await RoomClient.JoinAsync(node, RoomClient.NewCapability());

        Assert.Equal(given ? 3 : 0, ada.Relays.Count);
        Assert.All(ada.Relays.Where(relay => relay.Username.Length > 0), relay =>
            Assert.Equal(Convert.ToBase64String(Hmac(relay.Username)), relay.Credential));
    }

    [Theory]
    [InlineData("Calls:Relays:eu:0", "http://turn.example.org", "Calls:Relays:eu")]
    [InlineData("Calls:Relays:eu:0", "turn:turn.example.org?transport=sctp", "Calls:Relays:eu")]
    [InlineData("Calls:Relays:eu:0", "turn:user@turn.example.org", "Calls:Relays:eu")]
    [InlineData("Calls:Relays:eu:0", "turn:turn.example.org", "Calls:TurnSecret")]
    [InlineData("Calls:TurnSecret", "short", "Calls:TurnSecret")]
    [InlineData("Calls:CredentialLife", "00:20:00", "CredentialLife")]
    public void Relays_that_no_client_could_use_are_refused_with_a_sentence(string name, string value, string named)
    {
        var options = new CallsOptions();
        switch (name)
        {
            case "Calls:TurnSecret":
                options.TurnSecret = value;
                break;
            case "Calls:CredentialLife":
                options.CredentialLife = TimeSpan.Parse(value, CultureInfo.InvariantCulture);
                break;
            default:
                options.Relays["eu"] = [value];
                break;
        }

        var sentence = new CallsOptionsValidator().Validate(null, options).Failures!.First();

        Assert.Contains(named, sentence, StringComparison.Ordinal);
        Assert.DoesNotContain("short", sentence, StringComparison.Ordinal);
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5350", Justification = "The format is coturn's.")]
    private static byte[] Hmac(string username) => HMACSHA1.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(username));
}
