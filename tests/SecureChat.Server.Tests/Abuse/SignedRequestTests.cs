using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Protocol.Groups;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Architecture;
using SecureChat.Server.Tests.Support;
using SecureChat.Signal.Keys;

namespace SecureChat.Server.Tests.Abuse;

/// <summary>Requests that a key signs instead of an account.</summary>
public sealed class SignedRequestTests
{
    private const string State = "/v1/groups/state";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("no signature")]
    [InlineData("two signatures")]
    [InlineData("no dots")]
    [InlineData("a bit of the key")]
    [InlineData("a bit of the time")]
    [InlineData("a bit of the signature")]
    [InlineData("another key's signature")]
    [InlineData("another body")]
    [InlineData("another method")]
    [InlineData("another path")]
    [InlineData("another query")]
    [InlineData("six minutes late")]
    [InlineData("six minutes early")]
    [InlineData("a time beyond all numbers")]
    public async Task A_request_whose_signature_does_not_fit_is_refused_and_changes_nothing(string mistake)
    {
        await using var node = await Node.StartAsync();
        var time = node.Get<TimeProvider>();
        var (member, other) = (new KeyHolder(node.Http, time), new KeyHolder(node.Http, time));
        await member.SendAsync(HttpMethod.Put, State, new PutGroup(1, Padded(1)));
        var late = mistake is "six minutes late" ? TimeSpan.FromMinutes(-6) : mistake is "six minutes early" ? TimeSpan.FromMinutes(6) : default;
        var (good, others) = (member.Request(HttpMethod.Delete, $"{State}?version=1", [], late), other.Request(HttpMethod.Delete, $"{State}?version=1", []));
        var parts = good.Headers.GetValues(RequestSignature.Header).Single().Split('.');
        using var request = Mistaken(mistake, parts, others.Headers.GetValues(RequestSignature.Header).Single().Split('.')[2]);

        var refused = await node.Http.SendAsync(request, Ct);

        Assert.Equal(mistake is "another body" ? "413 too_large" : "401 bad_request_signature", await refused.OutcomeAsync());
        Assert.Equal([1L], await node.Get<Database>().QueryAsync<long>($"SELECT version FROM group_states", Ct));
    }

    [Fact]
    public async Task A_request_that_is_played_again_changes_nothing()
    {
        await using var node = await Node.StartAsync();
        var member = new KeyHolder(node.Http, node.Get<TimeProvider>());
        var body = JsonBytes(new PutGroup(1, Padded(1)));
        var put = member.Request(HttpMethod.Put, State, body);
        Assert.Equal("204", await (await member.SendAsync(put)).OutcomeAsync());
        Assert.Equal("204", await (await member.SendAsync(HttpMethod.Put, State, new PutGroup(2, Padded(2)))).OutcomeAsync());

        var again = new HttpRequestMessage(HttpMethod.Put, State) { Content = new ByteArrayContent(body) };
        again.Headers.Add(RequestSignature.Header, put.Headers.GetValues(RequestSignature.Header));

        Assert.Equal("401 bad_request_signature", await (await node.Http.SendAsync(again, Ct)).OutcomeAsync());
        Assert.Equal(Padded(2), (await (await member.GetAsync(State)).ReadAsync<GroupState>()).State);
    }

    [Fact]
    public async Task Whoever_names_an_account_as_well_is_told_and_nothing_is_stored()
    {
        await using var node = await Node.StartAsync();
        var member = new KeyHolder(node.As("whatever"), node.Get<TimeProvider>());

        Assert.Equal("400 credentials_refused", await (await member.SendAsync(HttpMethod.Put, State, new PutGroup(1, Padded(1)))).OutcomeAsync());

        Assert.Equal([0L], await node.Get<Database>().QueryAsync<long>($"SELECT COUNT(*) FROM group_states", Ct));
    }

    [Fact]
    public async Task A_network_stores_only_so_much_a_day_under_whatever_keys_and_a_forgery_costs_no_key_its_share()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"), ("Limits:Overrides:strangers-kib:Burst", "7000"));
        var time = node.Get<TimeProvider>();
        var victim = new KeyHolder(node.Http, time);
        await victim.SendAsync(HttpMethod.Put, State, new PutGroup(1, Padded(1)));
        for (var i = 0; i < 310; i++)
        {
            var forged = victim.Request(HttpMethod.Delete, $"{State}?version=1", []);
            forged.RequestUri = new Uri($"{State}?version=7", UriKind.Relative);
            Assert.Equal("401 bad_request_signature", await (await victim.SendAsync(forged)).OutcomeAsync());
        }

        Assert.Equal("204", await (await victim.SendAsync(HttpMethod.Put, State, new PutGroup(2, Padded(2)))).OutcomeAsync());
        var state = RandomNumberGenerator.GetBytes(Limits.MaxGroupStateBytes);
        var outcome = "204";
        var stored = 0L;
        while (outcome is "204")
        {
            outcome = await (await new KeyHolder(node.Http, time).SendAsync(HttpMethod.Put, State, new PutGroup(1, state))).OutcomeAsync();
            stored += outcome is "204" ? state.Length : 0;
        }

        Assert.Equal("429 rate_limited", outcome);
        Assert.InRange(stored, 4L << 20, 7L << 20);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("nonsense")]
    [InlineData("""{"version":1}""")]
    [InlineData("""{"version":1,"state":"not base64!"}""")]
    [InlineData("""{"version":1,"state":""}""")]
    [InlineData("""{"version":-1,"state":"AQ=="}""")]
    [InlineData("""{"version":1,"state":"AQ==","newKey":"AQ=="}""")]
    [InlineData("""{"version":1,"state":"AQ==","link":{"key":"AQ==","preview":"AQ=="}}""")]
    public async Task A_signed_body_that_is_none_is_refused(string body)
    {
        await using var node = await Node.StartAsync();
        var member = new KeyHolder(node.Http, node.Get<TimeProvider>());

        var refused = await member.PutBytesAsync(State, System.Text.Encoding.UTF8.GetBytes(body));

        Assert.Equal("400 malformed", await refused.OutcomeAsync());
    }

    private static HttpRequestMessage Mistaken(string mistake, string[] parts, string othersSignature)
    {
        var header = mistake switch
        {
            "no dots" => string.Concat(parts),
            "a bit of the key" => $"{Flipped(parts[0])}.{parts[1]}.{parts[2]}",
            "a bit of the time" => $"{parts[0]}.{long.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture) ^ 1}.{parts[2]}",
            "a bit of the signature" => $"{parts[0]}.{parts[1]}.{Flipped(parts[2])}",
            "another key's signature" => $"{parts[0]}.{parts[1]}.{othersSignature}",
            "a time beyond all numbers" => $"{parts[0]}.{long.MaxValue}.{parts[2]}",
            _ => string.Join('.', parts),
        };
        var target = mistake switch
        {
            "another path" => $"/v1/groups/requests/{Ids.New()}?version=1",
            "another query" => $"{State}?version=01",
            _ => $"{State}?version=1",
        };
        var request = new HttpRequestMessage(mistake is "another method" ? HttpMethod.Get : HttpMethod.Delete, target)
        {
            Content = mistake is "another body" ? new ByteArrayContent([1]) : null,
        };
        if (mistake is not "no signature")
        {
            request.Headers.Add(RequestSignature.Header, mistake is "two signatures" ? [header, header] : [header]);
        }

        return request;
    }

    [Fact]
    public async Task The_published_vectors_which_the_official_client_signed_verify()
    {
        using var file = System.Text.Json.JsonDocument.Parse(
            await File.ReadAllTextAsync(Path.Combine(Sources.Root, "vectors/requests/signed.json"), Ct));
        var vectors = file.RootElement.EnumerateArray().ToList();
        Assert.NotEmpty(vectors);

        foreach (var vector in vectors)
        {
            string Text(string name) => vector.GetProperty(name).GetString()!;
            var signature = RequestSignature.Parse(Text("header"))!;
            var message = RequestSignature.Message(Text("method"), Text("target"), signature.Time, vector.GetProperty("body").GetBytesFromBase64());
            using var key = PrivateKey.Parse(vector.GetProperty("privateKey").GetBytesFromBase64());

            Assert.Equal(vector.GetProperty("message").GetBytesFromBase64(), message);
            Assert.Equal(key.PublicKey.Serialize(), signature.Key);
            Assert.True(key.PublicKey.Verify(message, signature.Signature));
        }
    }

    private static byte[] Padded(byte value) => [.. Enumerable.Repeat(value, Limits.MinGroupStateBytes)];

    private static byte[] JsonBytes<T>(T value) => System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(value, Node.Json);

    private static string Flipped(string base64Url)
    {
        var bytes = System.Buffers.Text.Base64Url.DecodeFromChars(base64Url);
        bytes[5] ^= 1;
        return System.Buffers.Text.Base64Url.EncodeToString(bytes);
    }
}
