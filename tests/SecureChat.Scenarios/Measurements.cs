using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>What Prometheus reads of a server that people used.</summary>
public sealed partial class Measurements(Worlds worlds, LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_goes_through_the_relay_is_counted_and_timed_every_sweep_shows_its_last_run_and_no_label_holds_an_id()
    {
        var began = TimeProvider.System.GetUtcNow().AddMinutes(-1).ToUnixTimeSeconds();
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct);
        var (alice, bob) = await world.FriendsAsync(Ct);
        await alice.SendAsync(bob.Owner, "hello", Ct);
        await bob.NextTextAsync(Ct);
        await bob.SendAsync(alice.Owner, "hello yourself", Ct);
        await alice.NextTextAsync(Ct);
        var connected = await ReadAsync(world, "securechat_connections", 2);

        // Before each message, that the ten keys run low: whoever sends fetches one.
        await ReadAsync(world, "securechat_messages_delivered_total", 4);
        await bob.DisconnectAsync();
        await alice.SendAsync(bob.Owner, "until you are back", Ct);
        await SendBrieflyAsync(alice, bob);

        // Swept up ten seconds after it ran out at the latest.
        await ReadAsync(world, "securechat_queues_expired_total", 1);
        var left = await ReadAsync(world, "securechat_connections", 1);

        Assert.Equal(2, connected["securechat_connections"]);
        Assert.Equal(1, left["securechat_connections"]);
        Assert.Equal(4, left["securechat_messages_accepted_total"]);
        Assert.Equal(4, left["securechat_messages_accept_duration_seconds_count"]);
        Assert.InRange(left["securechat_messages_accept_duration_seconds_sum"], double.Epsilon, 60);
        Assert.Equal(4, left["securechat_messages_delivered_total"]);
        Assert.Equal(4, left["securechat_messages_delivery_duration_seconds_count"]);
        Assert.InRange(left["securechat_messages_delivery_duration_seconds_sum"], double.Epsilon, 60);
        Assert.Equal(1, left["securechat_queues_expired_total"]);
        Assert.Equal(1, left["securechat_queues_envelopes"]);
        foreach (var sweep in (string[])["envelopes", "short_lived_state", "invites", "refresh_tokens", "idle_devices", "ended_credentials"])
        {
            Assert.InRange(left[$"securechat_reaper_last_run_seconds {sweep}"], began, began + 3600);
        }
    }

    // One second of life, for somebody who is away.
    private static async Task SendBrieflyAsync(Device from, Device to)
    {
        var keys = await from.Api.PostAsync("/v1/keys/fetch", new { account = to.Owner.Account }, Ct);
        var registrationId = keys.GetProperty("devices")[0].GetProperty("registrationId").GetInt32();
        await from.Api.PostAsync(
            "/v1/messages",
            new
            {
                id = Guid.CreateVersion7(),
                timestamp = 1,
                expiresIn = 1,
                recipients = new[] { new { account = to.Owner.Account, devices = new[] { new { device = 1, registrationId, type = 2, content = "AAAA" } } } },
            },
            Ct);
    }

    // Once the name has the value, or as it is after half a minute. Sums over all labels but a sweep's name.
    private static async Task<Dictionary<string, double>> ReadAsync(World world, string name, double expected)
    {
        for (var attempt = 0; ; attempt++)
        {
            var values = new Dictionary<string, double>();
            foreach (Match line in Line().Matches(Encoding.UTF8.GetString(await Canaries.ReadMetricsAsync(world.Server))))
            {
                Assert.DoesNotMatch(Id(), Process().Replace(line.Groups["labels"].Value, ""));
                var key = Sweep().Match(line.Groups["labels"].Value) is { Success: true } sweep
                    ? $"{line.Groups["name"].Value} {sweep.Groups[1].Value}" : line.Groups["name"].Value;
                values[key] = values.GetValueOrDefault(key) + double.Parse(line.Groups["value"].Value, CultureInfo.InvariantCulture);
            }

            if (values.GetValueOrDefault(name).Equals(expected) || attempt is 60)
            {
                return values;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Ct);
        }
    }

    [GeneratedRegex(@"^(?<name>[a-z_]+)(?:\{(?<labels>[^\n]*)\})? (?<value>[^ \n]+)(?: \d+)?$", RegexOptions.Multiline)]
    private static partial Regex Line();

    // A UUID, sixteen bytes in hex or base64, or a token.
    [GeneratedRegex(@"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}|[0-9a-fA-F]{24,}|[A-Za-z0-9+/]{22}==|eyJ")]
    private static partial Regex Id();

    // The process's own number, drawn at its start.
    [GeneratedRegex("service_instance_id=\"[^\"]*\"")]
    private static partial Regex Process();

    [GeneratedRegex("sweep=\"([a-z_]+)\"")]
    private static partial Regex Sweep();
}
