using SecureChat.Protocol.Accounts;

namespace SecureChat.Server.Tests.Support;

/// <summary>A signed-in device: its owner's keys, its session, and a client that sends its token.</summary>
internal sealed class Member(Person person, Session session, HttpClient http) : IDisposable
{
    public Person Person { get; } = person;

    public Session Session { get; } = session;

    public Guid Account => Session.Account;

    public HttpClient Http { get; } = http;

    public static async Task<Member> SignUpAsync(Node node, string email)
    {
        var person = new Person();
        var session = await person.SignUpAsync(node, email);
        return new Member(person, session, node.As(session.AccessToken));
    }

    /// <summary>Links another device to this one's account.</summary>
    public async Task<Member> LinkAsync(Node node)
    {
        var code = await (await Http.PostAsync("/v1/devices/link-code", new { })).ReadAsync<LinkCode>();
        var session = await (await node.Http.PostAsync("/v1/devices/link", new LinkDevice(code.Code, Person.NewDevice())))
            .ReadAsync<Session>();
        return new Member(Person, session, node.As(session.AccessToken));
    }

    /// <summary>Whether the device's access token is still accepted.</summary>
    public async Task<bool> IsSignedInAsync()
    {
        using var answer = await Http.GetAsync(new Uri("/v1/devices", UriKind.Relative), TestContext.Current.CancellationToken);
        return answer.IsSuccessStatusCode;
    }

    public void Dispose() => Http.Dispose();
}
