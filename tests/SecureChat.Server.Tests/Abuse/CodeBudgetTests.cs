using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Tests.Attacks;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Abuse;

/// <summary>Codes cost money: the fuse holds whatever else does not.</summary>
public sealed class CodeBudgetTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryStore]
    public async Task The_days_budget_is_a_fuse_whoever_asks_for_whomever_and_the_operator_is_told(Stores stores)
    {
        using var logs = new LogCapture();
        await using var node = await Node.StartAsync(
            stores, ("Limits:Scale", "1"), ("Limits:Overrides:otp:Burst", "1000"), ("Otp:MaxPerDay", "8"));
        node.Get<ILoggerFactory>().AddProvider(logs);
        OtpRequest[] requests =
        [
            new("ada@example.org"), new(Phone: "+4915112345670"), new("bob@example.net"), new(Phone: "+4915212345670"), new("eve@example.com"),
        ];
        var outcomes = new List<string>();
        foreach (var request in requests)
        {
            var answer = await node.Http.PostAsync("/v1/auth/otp", request);
            outcomes.Add(await answer.OutcomeAsync());
            if (outcomes[^1] is "428 proof_of_work_required")
            {
                answer = await AnomalyEndpointsTests.PostAsync(
                    node.Http, "/v1/auth/otp", request, "192.0.2.66", await AnomalyEndpointsTests.WorkAsync(answer));
                outcomes.Add(await answer.OutcomeAsync());
            }

            if (answer.IsSuccessStatusCode)
            {
                await node.Outbox.CodeAsync((await answer.ReadAsync<OtpChallenge>()).Challenge);
            }
        }

        Assert.Equal(["200", "200", "200", "428 proof_of_work_required", "200", "429 rate_limited"], outcomes);
        Assert.Equal(4, node.Outbox.Count);
        Assert.Contains("One-time codes are refused", logs.Text, StringComparison.Ordinal);
    }

    [Theory, InlineData("Act"), InlineData("Watch")]
    public async Task A3_ten_thousand_requests_over_500_numbers_of_one_range_cost_no_more_than_the_fuse_and_others_are_served(string detectors)
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"), ("Limits:Anomalies", detectors));
        var (began, alerts) = (node.Clock.GetUtcNow(), new ConcurrentQueue<DateTimeOffset>());
        using var listener = Alerts(node, alerts);

        // From a network each, so that no limit but those of the codes stands in the way; for a minute.
        for (var second = 0; second < 60; second += 3)
        {
            await Parallel.ForAsync(0, 500, new ParallelOptions { MaxDegreeOfParallelism = 128, CancellationToken = Ct }, async (i, _) =>
                await node.SendFromAsync(
                    $"10.{second}.{i % 250}.{1 + (i / 250)}", "POST", "/v1/auth/otp", Attacker.Json(new OtpRequest(Phone: $"+491511234{i:D4}"))));
            node.Clock.Advance(TimeSpan.FromSeconds(3));
        }

        var other = await (await node.Http.PostAsync("/v1/auth/otp", new OtpRequest(Phone: "+4915212345670"))).ReadAsync<OtpChallenge>();
        var mail = await (await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("ada@example.org"))).ReadAsync<OtpChallenge>();
        await node.Outbox.CodeAsync(other.Challenge);
        await node.Outbox.CodeAsync(mail.Challenge);

        Assert.InRange(node.Outbox.Count - 2, 1, 101);
        Assert.InRange(alerts.First() - began, TimeSpan.Zero, TimeSpan.FromSeconds(60));
    }

    // Of this node alone: others of this process have meters of the same name.
    private static MeterListener Alerts(Node node, ConcurrentQueue<DateTimeOffset> alerts)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name is "securechat.anomalies.raised" && instrument.Meter.Scope == node.Get<IMeterFactory>())
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, labels, _) =>
        {
            foreach (var label in labels)
            {
                if (label.Value is "unused-codes-range")
                {
                    alerts.Enqueue(node.Clock.GetUtcNow());
                }
            }
        });
        listener.Start();
        return listener;
    }
}
