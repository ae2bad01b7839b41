using System.Diagnostics;
using System.Globalization;
using SecureChat.Protocol;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Storage;

/// <summary>
/// What one message costs the queue: accepted and acknowledged, in microseconds of this process's CPU time. Not part of a test run:
/// <c>dotnet run -c Release --project tests/SecureChat.Server.Tests -- --explicit only --filter-class "*QueueCost" --show-live-output on</c>
/// </summary>
public sealed class QueueCost(ITestOutputHelper output)
{
    private const int Devices = 1000;
    private const int Rounds = 400;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory(Explicit = true), EveryQueue]
    internal async Task Accepting_and_acknowledging_one_message(TestStores stores)
    {
        var queue = await stores.QueueAsync(new QueueCaps(1_000_000, 1L << 40));
        var devices = Enumerable.Range(0, Devices).Select(_ => new DeviceAddress(Ids.New(), 1)).ToArray();
        foreach (var callers in (int[])[1, 16, 64, 256])
        {
            await RunAsync(queue, stores.Clock.Now, devices, callers, Rounds / 4);
            var began = Stopwatch.GetTimestamp();
            var before = Process.GetCurrentProcess().TotalProcessorTime;
            var messages = await RunAsync(queue, stores.Clock.Now, devices, callers, Rounds);
            var cpu = Process.GetCurrentProcess().TotalProcessorTime - before;
            var took = Stopwatch.GetElapsedTime(began);
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{queue.Name}, {callers} callers: {cpu.TotalMicroseconds / messages:F1} us CPU, {messages / took.TotalSeconds:F0} messages/s"));
        }

        Assert.Equal(0, await queue.CountAsync(Ct));
    }

    // Each caller sends to its devices in turn, waits until it is accepted, then acknowledges.
    private static async Task<int> RunAsync(
        IMessageQueue queue, DateTimeOffset now, DeviceAddress[] devices, int callers, int rounds)
    {
        var perCaller = Math.Max(rounds, rounds * 64 / callers);
        await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(
            async () =>
            {
                for (var i = 0; i < perCaller; i++)
                {
                    var mail = SomeMail.To(devices[((caller * 7919) + i) % Devices], new byte[1024], now + TimeSpan.FromHours(1));
                    var positions = await queue.AppendAsync([mail], null, Ct);
                    await queue.AckAsync(mail.To, positions!, Ct);
                }
            },
            Ct)));
        return callers * perCaller;
    }
}
