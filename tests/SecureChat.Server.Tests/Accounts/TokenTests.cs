using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Accounts;

public sealed class TokenTests
{
    [Theory, EveryStore]
    public async Task A4_two_parallel_refreshes_both_work(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var session = await new Person().SignUpAsync(node, "ada@example.org");

        var both = await Task.WhenAll(RefreshAsync(node, session.RefreshToken), RefreshAsync(node, session.RefreshToken));
        var next = await Task.WhenAll(both.Select(async answer => await answer.ReadAsync<Session>()));

        Assert.Equal("200", await (await RefreshAsync(node, next[0].RefreshToken)).OutcomeAsync());
        Assert.Equal("200", await (await RefreshAsync(node, next[1].RefreshToken)).OutcomeAsync());
    }

    [Fact]
    public async Task A4_a_used_refresh_token_that_comes_back_ends_the_devices_credentials()
    {
        await using var node = await Node.StartAsync();
        var session = await new Person().SignUpAsync(node, "ada@example.org");
        var next = await (await RefreshAsync(node, session.RefreshToken)).ReadAsync<Session>();
        var ended = 0;
        node.Get<AccountNotices>().CredentialsEnded += _ => Interlocked.Increment(ref ended);
        node.Clock.Advance(TimeSpan.FromSeconds(11));

        Assert.Equal("401 unauthorized", await (await RefreshAsync(node, session.RefreshToken)).OutcomeAsync());
        Assert.Equal("401 unauthorized", await (await RefreshAsync(node, next.RefreshToken)).OutcomeAsync());
        Assert.Equal("401 unauthorized", await LogoutAsync(node, next.AccessToken));
        Assert.NotEqual(0, ended);
    }

    [Theory, EveryStore]
    public async Task T21_a_guessed_refresh_token_ends_nothing(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var session = await new Person().SignUpAsync(node, "ada@example.org");

        foreach (var guess in (string[])["", "x", new string('A', 43), new string('A', 4000), "=" + session.RefreshToken])
        {
            Assert.Equal("401 unauthorized", await (await RefreshAsync(node, guess)).OutcomeAsync());
        }

        Assert.Equal("200", await (await RefreshAsync(node, session.RefreshToken)).OutcomeAsync());
    }

    [Fact]
    public async Task An_access_token_lives_ten_minutes()
    {
        await using var node = await Node.StartAsync();
        var session = await new Person().SignUpAsync(node, "ada@example.org");
        var directory = node.Get<AccessTokens>();

        Assert.Equal(600, session.ExpiresIn);
        node.Clock.Advance(TimeSpan.FromSeconds(599));
        Assert.NotNull(await directory.ReadAsync(session.AccessToken));
        node.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(await directory.ReadAsync(session.AccessToken));
        Assert.Equal("401 unauthorized", await LogoutAsync(node, session.AccessToken));
    }

    [Fact]
    public async Task A_token_outlives_the_rotation_of_its_signing_key()
    {
        await using var node = await Node.StartAsync(("Tokens:SigningKeyLife", "02:00:00"));
        node.Clock.Advance(TimeSpan.FromMinutes(119));
        var session = await new Person().SignUpAsync(node, "ada@example.org");
        var keyBefore = node.Get<SigningKeys>().Current.KeyId;

        node.Clock.Advance(TimeSpan.FromMinutes(5));

        Assert.NotEqual(keyBefore, node.Get<SigningKeys>().Current.KeyId);
        Assert.Contains(node.Get<SigningKeys>().Published.Keys, key => key.Kid == keyBefore);
        Assert.Equal("204", await LogoutAsync(node, session.AccessToken));
    }

    [Fact]
    public async Task The_published_keys_verify_an_access_token_by_its_key_id_before_and_after_rotation()
    {
        await using var node = await Node.StartAsync(("Tokens:SigningKeyLife", "02:00:00"));
        node.Clock.Advance(TimeSpan.FromMinutes(119));
        var session = await new Person().SignUpAsync(node, "ada@example.org");
        var before = await PublishedAsync(node);

        node.Clock.Advance(TimeSpan.FromMinutes(5));
        var after = await PublishedAsync(node);
        var next = await new Person().SignUpAsync(node, "bob@example.org");

        Assert.True(IsSignedBy(before, session.AccessToken));
        Assert.True(IsSignedBy(after, session.AccessToken));
        Assert.True(IsSignedBy(after, next.AccessToken));
        Assert.NotEqual(KeyIdOf(session.AccessToken), KeyIdOf(next.AccessToken));
        Assert.False(IsSignedBy(after, session.AccessToken[..^4] + (session.AccessToken[^4] is 'A' ? 'B' : 'A') + session.AccessToken[^3..]));
    }

    [Theory, EveryStore]
    public async Task Logging_out_ends_the_tokens_at_once(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var session = await new Person().SignUpAsync(node, "ada@example.org");

        Assert.Equal("204", await LogoutAsync(node, session.AccessToken));

        Assert.Equal("401 unauthorized", await LogoutAsync(node, session.AccessToken));
        Assert.Equal("401 unauthorized", await (await RefreshAsync(node, session.RefreshToken)).OutcomeAsync());
    }

    private static async Task<JsonWebKeySet> PublishedAsync(Node node) => await (await node.Http.GetAsync(
        new Uri("/.well-known/jwks.json", UriKind.Relative), TestContext.Current.CancellationToken)).ReadAsync<JsonWebKeySet>();

    private static string KeyIdOf(string token)
    {
        using var header = JsonDocument.Parse(Base64Url.DecodeFromChars(token.Split('.')[0]));
        return header.RootElement.GetProperty("kid").GetString()!;
    }

    // As a service would that trusts this server and knows nothing but its key set.
    private static bool IsSignedBy(JsonWebKeySet keys, string token)
    {
        var key = Assert.Single(keys.Keys, key => key.Kid == KeyIdOf(token));
        Assert.Equal(("EC", "P-256", "sig", "ES256"), (key.Kty, key.Crv, key.Use, key.Alg));
        using var ecdsa = ECDsa.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = Base64Url.DecodeFromChars(key.X), Y = Base64Url.DecodeFromChars(key.Y) },
        });
        var end = token.LastIndexOf('.');
        return ecdsa.VerifyData(
            Encoding.ASCII.GetBytes(token[..end]), Base64Url.DecodeFromChars(token.AsSpan(end + 1)), HashAlgorithmName.SHA256);
    }

    private static Task<HttpResponseMessage> RefreshAsync(Node node, string token) =>
        node.Http.PostAsync("/v1/auth/refresh", new Refresh(token));

    private static async Task<string> LogoutAsync(Node node, string accessToken)
    {
        using var http = node.As(accessToken);
        return await (await http.PostAsync("/v1/auth/logout", new { })).OutcomeAsync();
    }
}
