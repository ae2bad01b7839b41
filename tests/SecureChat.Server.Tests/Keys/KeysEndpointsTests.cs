using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Keys;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Hosting;
using SecureChat.Server.Keys;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using SecureChat.Signal;
using SecureChat.Signal.Keys;

namespace SecureChat.Server.Tests.Keys;

public sealed class KeysEndpointsTests
{
    private readonly Person _bob = new();

    [Fact]
    public async Task A_fetched_bundle_is_what_was_published_and_each_one_time_key_comes_once()
    {
        await using var node = await Node.StartAsync();
        var (session, http) = await BobAsync(node);
        var published = Keys(oneTime: 2, kyber: 1);
        await PublishAsync(http, published);

        var first = await FetchAsync(node.Http, session.Account);
        var second = await FetchAsync(node.Http, session.Account);
        var third = await FetchAsync(node.Http, session.Account);

        Assert.Equal(_bob.IdentityKey, first.IdentityKey);
        Assert.Equal(published.OneTimeKeys!.Select(key => key.Key), [Only(first).OneTimeKey!.Key, Only(second).OneTimeKey!.Key]);
        Assert.Equal(published.KyberOneTimeKeys![0].Key, Only(first).KyberKey.Key);
        Assert.Null(Only(third).OneTimeKey);
        Assert.Equal(Only(second).KyberKey.Key, Only(third).KyberKey.Key);
    }

    [Theory, EveryStore]
    public async Task K2_sixty_four_parallel_fetches_over_thirty_two_keys_get_thirty_two_distinct_ones(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var (session, http) = await BobAsync(node);
        await PublishAsync(http, Keys(oneTime: 32, kyber: 32));

        var bundles = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => FetchAsync(node.Http, session.Account)));

        var given = bundles.Select(bundle => Only(bundle).OneTimeKey).OfType<OneTimeKey>().Select(key => key.KeyId).ToList();
        Assert.Equal(32, given.Count);
        Assert.Equal(32, given.Distinct().Count());
        var kyber = bundles.Select(bundle => Convert.ToHexString(Only(bundle).KyberKey.Key)).GroupBy(key => key).Select(key => key.Count()).Order();
        Assert.Equal([.. Enumerable.Repeat(1, 32), 32], kyber);
    }

    [Fact]
    public async Task One_device_is_asked_for_alone_or_all_of_an_account_and_only_who_is_asked_for_gives_a_key_away()
    {
        await using var node = await Node.StartAsync();
        using var phone = await Member.SignUpAsync(node, "bob@chat.example");
        using var tablet = await phone.LinkAsync(node);
        foreach (var device in new[] { phone, tablet })
        {
            await PublishAsync(device.Http, new PublishKeys(OneTimeKeys: [new(device.Session.Device, X25519()), new(10, X25519())]));
        }

        var one = await (await node.Http.PostAsync("/v1/keys/fetch", new FetchKeys(phone.Account, 2))).ReadAsync<KeyBundles>();
        var all = await FetchAsync(node.Http, phone.Account);

        Assert.Equal((2, 2), (Only(one).Device, Only(one).OneTimeKey!.KeyId));
        Assert.Equal([(1, 1), (2, 10)], all.Devices.Select(device => (device.Device, device.OneTimeKey!.KeyId)));
        Assert.Equal((1, 0), ((await CountsAsync(phone.Http)).OneTimeKeys, (await CountsAsync(tablet.Http)).OneTimeKeys));
        Assert.Equal(2, all.Devices.Select(device => Convert.ToHexString(device.SignedPreKey.Key)).Distinct().Count());
    }

    [Theory, EveryStore]
    public async Task K2_after_a_restore_no_one_time_key_of_before_is_handed_out(Stores stores)
    {
        var folder = Directory.CreateTempSubdirectory("securechat-restore-");
        (string Name, string Value)[] settings =
        [
            ("Storage:DataFolder", folder.FullName), .. stores is Stores.Shared ? await TemporaryServers.NewStoresAsync() : [],
        ];
        await using (var node = await Node.StartAsync(clock: null, settings))
        {
            var (session, http) = await BobAsync(node);
            await PublishAsync(http, Keys(oneTime: 10, kyber: 10));
            var handedOut = Only(await FetchAsync(node.Http, session.Account));
            Assert.NotNull(handedOut.OneTimeKey);

            // As a copy made before that has it still.
            await PublishAsync(http, Keys(oneTime: 10, kyber: 10));
            Assert.Equal(0, CommandLine.Run(
                ["restored", .. settings.Select(setting => $"--{setting.Name}={setting.Value}")], RestoredCommand.Create()));

            for (var i = 0; i < 3; i++)
            {
                var bundle = Only(await FetchAsync(node.Http, session.Account));
                Assert.Null(bundle.OneTimeKey);
                Assert.NotEqual(handedOut.KyberKey.KeyId, bundle.KyberKey.KeyId);
            }

            await PublishAsync(http, Keys(oneTime: 10, kyber: 10));
            Assert.NotNull(Only(await FetchAsync(node.Http, session.Account)).OneTimeKey);
        }

        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task K1_four_hundred_fetches_by_many_parties_leave_a_victim_more_than_half_of_its_keys()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"), ("Tokens:AccessLife", "01:00:00"));
        var (session, http) = await BobAsync(node);
        await PublishAsync(http, Keys(oneTime: 100, kyber: 100));
        var attackers = new List<HttpClient>();
        for (var i = 0; i < 20; i++)
        {
            node.Clock.Advance(TimeSpan.FromMinutes(2));
            attackers.Add(node.As((await new Person().SignUpAsync(node, $"attacker{i}@chat.example")).AccessToken));
        }

        var lengths = new HashSet<int>();
        for (var i = 0; i < 400; i++)
        {
            var requester = i % 2 == 0 ? attackers[i / 2 % attackers.Count] : node.Http;
            var answer = await requester.PostAsync("/v1/keys/fetch", new FetchKeys(session.Account));
            if (answer.IsSuccessStatusCode)
            {
                lengths.Add((await answer.TextAsync()).Length);
            }
            else
            {
                Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
                node.Clock.Advance(TimeSpan.FromSeconds(1));
            }
        }

        var left = await CountsAsync(http);
        Assert.InRange(left.OneTimeKeys, 55, 60);
        Assert.InRange(left.KyberOneTimeKeys, 55, 60);
        Assert.Single(lengths);
    }

    [Fact]
    public async Task Publishing_replaces_the_sets_that_are_given_and_leaves_the_others()
    {
        await using var node = await Node.StartAsync();
        var (_, http) = await BobAsync(node);
        await PublishAsync(http, Keys(oneTime: 5, kyber: 7));

        await PublishAsync(http, Keys(oneTime: 3, kyber: 0) with { KyberOneTimeKeys = null });

        var left = await CountsAsync(http);
        Assert.Equal((3, 7), (left.OneTimeKeys, left.KyberOneTimeKeys));
    }

    [Fact]
    public async Task One_bad_signature_refuses_the_whole_upload()
    {
        await using var node = await Node.StartAsync();
        var (_, http) = await BobAsync(node);
        var keys = Keys(oneTime: 5, kyber: 5);
        keys.KyberOneTimeKeys![4].Signature[10] ^= 1;

        var answer = await http.SendAsync(HttpMethod.Put, "/v1/keys", keys);

        Assert.Equal("422 bad_signature", await answer.OutcomeAsync());
        Assert.Equal(0, (await CountsAsync(http)).OneTimeKeys);
    }

    [Theory]
    [InlineData("too many")]
    [InlineData("same id twice")]
    [InlineData("wrong type byte")]
    [InlineData("wrong length")]
    [InlineData("negative id")]
    public async Task A_malformed_set_of_keys_is_refused(string how)
    {
        await using var node = await Node.StartAsync();
        var (_, http) = await BobAsync(node);
        List<OneTimeKey> keys = how switch
        {
            "too many" => [.. Keys(oneTime: 101, kyber: 0).OneTimeKeys!],
            "same id twice" => [new(1, X25519()), new(1, X25519())],
            "wrong type byte" => [new(1, [0x08, .. new byte[32]])],
            "wrong length" => [new(1, [0x05, .. new byte[31]])],
            _ => [new(-1, X25519())],
        };

        var answer = await http.SendAsync(HttpMethod.Put, "/v1/keys", new PublishKeys(OneTimeKeys: keys));

        Assert.Equal("400 malformed", await answer.OutcomeAsync());
    }

    [Fact]
    public async Task The_consistency_check_notices_a_changed_key()
    {
        await using var node = await Node.StartAsync();
        var (_, http) = await BobAsync(node);
        var keys = Keys(oneTime: 0, kyber: 0);
        await PublishAsync(http, keys);

        var same = await http.PostAsync("/v1/keys/check", new CheckKeys(Digest(keys.SignedPreKey!, keys.LastResortKey!)));
        var other = await http.PostAsync("/v1/keys/check", new CheckKeys(Digest(keys.LastResortKey!, keys.SignedPreKey!)));

        Assert.Equal("204", await same.OutcomeAsync());
        Assert.Equal("409 keys_differ", await other.OutcomeAsync());
    }

    [Fact]
    public async Task A_device_is_told_once_that_its_keys_run_low_and_again_after_it_has_published()
    {
        await using var node = await Node.StartAsync();
        var (session, http) = await BobAsync(node);
        await PublishAsync(http, Keys(oneTime: 21, kyber: 21));

        await FetchAsync(node.Http, session.Account);
        Assert.Empty(await EventsAsync(node, session));
        await FetchAsync(node.Http, session.Account);
        await FetchAsync(node.Http, session.Account);
        var told = Assert.Single(await EventsAsync(node, session));

        Assert.Equal((19u, 19u), (told.KeysLow.EcCount, told.KeysLow.KyberCount));
        await PublishAsync(http, Keys(oneTime: 5, kyber: 5));
        await FetchAsync(node.Http, session.Account);
        Assert.Equal(4u, (await EventsAsync(node, session))[^1].KeysLow.EcCount);
    }

    [Fact]
    public async Task A_signed_prekey_older_than_30_days_is_told_by_count_and_by_event()
    {
        await using var node = await Node.StartAsync(("Tokens:AccessLife", "01:00:00"));
        var (session, _) = await BobAsync(node);
        node.Clock.AdjustTime(node.Clock.GetUtcNow() + TimeSpan.FromDays(31));
        var refreshed = await (await node.Http.PostAsync("/v1/auth/refresh", new Refresh(session.RefreshToken))).ReadAsync<Session>();

        Assert.Equal(1, await node.Get<KeyReminders>().RemindOldAsync(TestContext.Current.CancellationToken));
        Assert.Equal(0, await node.Get<KeyReminders>().RemindOldAsync(TestContext.Current.CancellationToken));

        var counts = await CountsAsync(node.As(refreshed.AccessToken));
        Assert.Equal((31, 31), (counts.SignedPreKeyAgeDays, counts.LastResortKeyAgeDays));
        Assert.Equal(31u, Assert.Single(await EventsAsync(node, session)).SignedPrekeyOld.AgeDays);
    }

    [Fact]
    public async Task Each_of_the_lasting_keys_has_an_age_of_its_own()
    {
        await using var node = await Node.StartAsync(("Tokens:AccessLife", "01:00:00"));
        var (session, _) = await BobAsync(node);
        node.Clock.AdjustTime(node.Clock.GetUtcNow() + TimeSpan.FromDays(5));
        var refreshed = await (await node.Http.PostAsync("/v1/auth/refresh", new Refresh(session.RefreshToken))).ReadAsync<Session>();
        var http = node.As(refreshed.AccessToken);

        await PublishAsync(http, new PublishKeys(LastResortKey: _bob.Sign(Person.KyberKey())));
        var one = await CountsAsync(http);
        await PublishAsync(http, new PublishKeys(SignedPreKey: _bob.Sign(X25519())));
        var both = await CountsAsync(http);

        Assert.Equal((5, 0), (one.SignedPreKeyAgeDays, one.LastResortKeyAgeDays));
        Assert.Equal((0, 0), (both.SignedPreKeyAgeDays, both.LastResortKeyAgeDays));
    }

    [Fact]
    public async Task An_unknown_account_and_an_unknown_device_answer_alike()
    {
        await using var node = await Node.StartAsync();
        var (session, _) = await BobAsync(node);

        var account = await node.Http.PostAsync("/v1/keys/fetch", new FetchKeys(Guid.CreateVersion7()));
        var device = await node.Http.PostAsync("/v1/keys/fetch", new FetchKeys(session.Account, 5));

        Assert.Equal("404 not_found", await account.OutcomeAsync());
        Assert.Equal(await account.TextAsync(), await device.TextAsync());
    }

    private static DeviceKeys Only(KeyBundles bundles) => Assert.Single(bundles.Devices);

    private static byte[] X25519() => PrivateKey.Generate(RandomSource.System).PublicKey.Serialize();

    private static async Task<KeyBundles> FetchAsync(HttpClient http, Guid account) =>
        await (await http.PostAsync("/v1/keys/fetch", new FetchKeys(account))).ReadAsync<KeyBundles>();

    private static async Task<KeyCounts> CountsAsync(HttpClient http) =>
        await (await http.GetAsync(new Uri("/v1/keys", UriKind.Relative), TestContext.Current.CancellationToken)).ReadAsync<KeyCounts>();

    private static async Task<List<Event>> EventsAsync(Node node, Session session) =>
        [.. (await node.Get<IMessageQueue>().ReadAsync(
                new DeviceAddress(session.Account, 1), 0, 100, TestContext.Current.CancellationToken))
            .Select(mail => Envelope.Parser.ParseFrom(mail.Envelope.Span))
            .Where(envelope => envelope.Type == ContentType.Event)
            .Select(envelope => Event.Parser.ParseFrom(envelope.Content))];

    private static async Task PublishAsync(HttpClient http, PublishKeys keys) =>
        Assert.Equal("204", await (await http.SendAsync(HttpMethod.Put, "/v1/keys", keys)).OutcomeAsync());

    private async Task<(Session Session, HttpClient Http)> BobAsync(Node node)
    {
        var session = await _bob.SignUpAsync(node, "bob@chat.example");
        return (session, node.As(session.AccessToken));
    }

    private PublishKeys Keys(int oneTime, int kyber) => new(
        _bob.Sign(X25519()),
        _bob.Sign(Person.KyberKey()),
        [.. Enumerable.Range(1, oneTime).Select(id => new OneTimeKey(id, X25519()))],
        [.. Enumerable.Range(1, kyber).Select(id => _bob.Sign(Person.KyberKey()) with { KeyId = id })]);

    private byte[] Digest(SignedKey signed, SignedKey lastResort)
    {
        var ids = new byte[16];
        BinaryPrimitives.WriteInt64BigEndian(ids, signed.KeyId);
        BinaryPrimitives.WriteInt64BigEndian(ids.AsSpan(8), lastResort.KeyId);
        return SHA256.HashData([.. _bob.IdentityKey, .. ids[..8], .. signed.Key, .. ids[8..], .. lastResort.Key]);
    }
}
