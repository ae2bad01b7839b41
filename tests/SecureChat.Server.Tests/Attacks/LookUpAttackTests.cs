using System.Security.Cryptography;
using System.Text.Json;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Abuse;
using SecureChat.Server.Tests.Architecture;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Attacks;

/// <summary>Somebody walks through names to find accounts, under the limits and detectors that are in force by default.</summary>
public sealed class LookUpAttackTests
{
    // And of what: a door that takes many names and answers who of them is there would be a new line here, and a decision.
    private static readonly Dictionary<string, string> OfLists = new()
    {
        ["post /v1/account/username/reserve"] = "names for oneself: the first that is free, and nobody's account",
        ["post /v1/auth/register"] = "one's own device's features",
        ["post /v1/devices/link"] = "one's own device's features",
        ["post /v1/messages"] = "recipients, whose devices one must know: for one who is not there the whole is refused",
        ["post /v1/messages/ack"] = "one's own mail",
        ["post /v1/sealed/messages"] = "the devices of one recipient, who gave a right",
        ["post /v1/senders/tokens"] = "rights that one gives",
        ["put /v1/keys"] = "one's own keys",
    };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, InlineData(1), InlineData(100)]
    public async Task M6_ten_thousand_guesses_of_one_account_or_of_a_hundred_find_less_than_their_quotas(int accounts)
    {
        await using var node = await LoopbackNode.StartAsync("--Limits:Scale=1");
        var (victim, hash) = (await node.NewDeviceAsync(), RandomNumberGenerator.GetBytes(32));
        using var own = node.As(victim);
        Assert.Equal("200", await (await own.PostAsync("/v1/account/username/reserve", new ReserveUsername([hash]))).OutcomeAsync());
        Assert.Equal("200", await (await own.SendAsync(HttpMethod.Put, "/v1/account/username", new ConfirmUsername(hash, [7]))).OutcomeAsync());
        var guessers = new List<HttpClient>();
        for (var i = 0; i < accounts; i++)
        {
            guessers.Add(node.As(await node.NewDeviceAsync()));
        }

        // One guess of ten is right, which nobody's guesses are.
        var found = 0;
        for (var round = 0; round < 10_000 / accounts; round++)
        {
            var name = round % 10 is 0 ? hash : RandomNumberGenerator.GetBytes(32);
            await Task.WhenAll(guessers.Select(async guesser =>
            {
                using var answer = await guesser.PostAsync("/v1/usernames/lookup", new UsernameHash(name));
                Interlocked.Add(ref found, answer.IsSuccessStatusCode && (await answer.ReadAsync<FoundAccount>()).Account == victim.Address.Account ? 1 : 0);
            }));
            await node.Get<Anomalies>().FlushAsync(Ct);
        }

        // The quota alone would let ten through; after some forty misses a detector asks for work.
        Assert.InRange(found, accounts, accounts * 6);
        guessers.ForEach(guesser => guesser.Dispose());
    }

    [Fact]
    public void M6_what_takes_a_list_in_the_published_API_looks_nobody_up()
    {
        using var api = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Sources.Root, "docs/openapi.json")));
        var schemas = api.RootElement.GetProperty("components").GetProperty("schemas");

        var lists = api.RootElement.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject()
            .Where(operation => operation.Value.TryGetProperty("requestBody", out var body) && HoldsList(body, schemas))
            .Select(operation => $"{operation.Name} {path.Name}"));

        Assert.Equal(OfLists.Keys.Order(), lists.Order());
    }

    private static bool HoldsList(JsonElement part, JsonElement schemas) => part.ValueKind switch
    {
        JsonValueKind.Object when part.TryGetProperty("$ref", out var name) => HoldsList(schemas.GetProperty(name.GetString()!.Split('/')[^1]), schemas),
        JsonValueKind.Object => part.TryGetProperty("items", out _) || part.EnumerateObject().Any(inner => HoldsList(inner.Value, schemas)),
        JsonValueKind.Array => part.EnumerateArray().Any(inner => HoldsList(inner, schemas)),
        _ => false,
    };
}
