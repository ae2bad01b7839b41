using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Accounts;

/// <summary>Whatever ends a device's credentials at one node ends its socket and its token at the other, within two seconds.</summary>
public sealed class EndedCredentialsTests
{
    private const string Email = "ada@chat.example";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static TheoryData<string> Endings => ["logout", "removal", "a token used twice", "deletion", "registration"];

    [Theory, MemberData(nameof(Endings))]
    public async Task Socket_and_token_end_at_the_other_node_within_two_seconds(string how)
    {
        await using var cluster = await Cluster.StartAsync("--Accounts:Registration=Open", "--Tokens:RefreshGrace=00:00:01");
        var (person, http) = (new Person(), new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{cluster.A.ApiPort}") });
        var primary = await RegisterAsync(cluster.A, http, person);
        using var asPrimary = As(cluster.A, primary);
        var linked = await LinkAsync(asPrimary, http, person);
        var ended = how is "removal" ? linked : primary;
        await using var socket = await ChatSocket.ConnectAsync(cluster.B.SocketPort, DeviceOf(ended));
        using var elsewhere = As(cluster.B, ended);
        using var here = As(cluster.A, ended);
        Assert.Equal("200", await StatusAsync(elsewhere));

        await EndAsync(how, cluster.A, http, here, asPrimary, person, ended);

        Assert.Equal(4401, await socket.CloseCodeAsync().WaitAsync(TimeSpan.FromSeconds(2), Ct));
        Assert.Equal("401 unauthorized", await StatusAsync(elsewhere));
        http.Dispose();
    }

    private static async Task EndAsync(
        string how, LoopbackNode node, HttpClient http, HttpClient here, HttpClient asPrimary, Person person, Session ended)
    {
        switch (how)
        {
            case "logout":
                Assert.Equal("204", await (await here.PostAsync("/v1/auth/logout", new { })).OutcomeAsync());
                break;
            case "removal":
                Assert.Equal("204", await (await asPrimary.DeleteAsync(new Uri("/v1/devices/2", UriKind.Relative), Ct)).OutcomeAsync());
                break;
            case "deletion":
                Assert.Equal("204", await (await here.DeleteAsync(new Uri("/v1/account", UriKind.Relative), Ct)).OutcomeAsync());
                break;
            case "registration":
                var wait = node.Get<HourlyNames>().Of("otp-wait:", Identifier.Parse(Email, null)!.Hash(node.Get<Secrets>()), TimeSpan.FromHours(2)).Now;
                await node.Get<IHotStore>().RemoveAsync(wait, Ct);
                Assert.Equal(ended.Account, (await RegisterAsync(node, http, person)).Account);
                break;
            default:
                await (await http.PostAsync("/v1/auth/refresh", new Refresh(ended.RefreshToken))).ReadAsync<Session>();
                await Task.Delay(TimeSpan.FromSeconds(1.1), TimeProvider.System, Ct);
                var again = await http.PostAsync("/v1/auth/refresh", new Refresh(ended.RefreshToken));
                Assert.Equal("401 unauthorized", await again.OutcomeAsync());
                break;
        }
    }

    // The code is asked of the node itself: this test has no mailbox.
    private static async Task<Session> RegisterAsync(LoopbackNode node, HttpClient http, Person person)
    {
        var (issued, _) = await node.Get<OtpChallenges>().IssueAsync(Identifier.Parse(Email, null)!, Ct);
        return await (await http.PostAsync("/v1/auth/register", new Register(
            person.IdentityKey, person.NewDevice(), issued!.Challenge.Challenge, issued.Code))).ReadAsync<Session>();
    }

    private static async Task<Session> LinkAsync(HttpClient primary, HttpClient http, Person person)
    {
        var code = await (await primary.PostAsync("/v1/devices/link-code", new { })).ReadAsync<LinkCode>();
        return await (await http.PostAsync("/v1/devices/link", new LinkDevice(code.Code, person.NewDevice()))).ReadAsync<Session>();
    }

    private static HttpClient As(LoopbackNode node, Session session) => node.As(DeviceOf(session));

    private static ChatDevice DeviceOf(Session session) =>
        new(new DeviceAddress(session.Account, session.Device), RegistrationId: 1, Epoch: 0, session.AccessToken);

    private static async Task<string> StatusAsync(HttpClient http) =>
        await (await http.GetAsync(new Uri("/v1/devices", UriKind.Relative), Ct)).OutcomeAsync();
}
