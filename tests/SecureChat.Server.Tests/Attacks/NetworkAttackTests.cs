using SecureChat.Protocol.Accounts;
using SecureChat.Server.Accounts;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Attacks;

/// <summary>Floods from addresses that the attacker chooses, under the limits that are in force by default.</summary>
public sealed class NetworkAttackTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A8_five_thousand_sign_ups_from_one_network_make_twenty_accounts()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"), ("Accounts:Registration", "Invite"));
        var invite = await node.Get<Invites>().CreateAsync(uses: 1000, TimeSpan.FromDays(1), Ct);
        var person = new Person();
        var request = Attacker.Json(new Register(person.IdentityKey, person.NewDevice(), Invite: invite));

        var answers = new List<int>();
        for (var i = 0; i < 5000; i++)
        {
            answers.Add(await node.SendFromAsync($"2001:db8:7:7:{i % 97:x}:{i % 89:x}::{i:x}", "POST", "/v1/auth/register", request));
        }

        Assert.Equal(20, answers.Count(status => status == 200));
        Assert.Equal(4980, answers.Count(status => status == 429));
        Assert.Equal(200, await node.SendFromAsync("2001:db8:7:8::1", "POST", "/v1/auth/register", request));
    }

    [Fact]
    public async Task T21_ten_thousand_bad_requests_in_a_victims_name_leave_the_victim_alone()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"));
        using var victim = await Member.SignUpAsync(node, "victim@chat.example");
        var forged = victim.Session.AccessToken[..^4] + "AAAA";
        var refresh = Attacker.Json(new Refresh(new string('A', victim.Session.RefreshToken.Length)));

        for (var i = 0; i < 5000; i++)
        {
            await node.SendFromAsync("203.0.113.66", "GET", "/v1/devices", token: forged);
            await node.SendFromAsync("203.0.113.66", "POST", "/v1/auth/refresh", refresh);
        }

        Assert.Equal(429, await node.SendFromAsync("203.0.113.66", "POST", "/v1/auth/refresh", refresh));
        Assert.Equal(200, await node.SendFromAsync("198.51.100.9", "GET", "/v1/devices", token: victim.Session.AccessToken));
        Assert.Equal(
            200,
            await node.SendFromAsync("198.51.100.9", "POST", "/v1/auth/refresh", Attacker.Json(new Refresh(victim.Session.RefreshToken))));
    }
}
