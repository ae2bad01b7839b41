using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using SecureChat.Bench.Rows;

namespace SecureChat.Signal.Browser;

/// <summary>Two devices in one page: sessions and messages in both directions, checked, with the time of each step.</summary>
internal static class BrowserRun
{
    private const int Sessions = 20;
    private const int Messages = 100;

    private static readonly byte[] Plaintext = new byte[1024];

    /// <summary>Lines "step first median", in milliseconds; or a line "failed" and the reason.</summary>
    public static async Task<string> ResultAsync()
    {
        try
        {
            var times = new Dictionary<string, List<double>>();
            await RunAsync(times);
            return string.Join('\n', times.Select(step => string.Create(
                CultureInfo.InvariantCulture, $"{step.Key} {step.Value[0]:F2} {Median(step.Value):F2}")));
        }
#pragma warning disable CA1031 // Whatever went wrong is for whoever waits for the result.
        catch (Exception e)
        {
            return $"failed\n{e}";
        }
#pragma warning restore CA1031
    }

    private static async Task RunAsync(Dictionary<string, List<double>> times)
    {
        RandomNumberGenerator.Fill(Plaintext);
        var (alice, bob) = (new BenchDevice(), new BenchDevice());
        await TimeAsync(times, "load", async () =>
        {
            // Makes the tables and has the code seen once, before anybody waits.
            await alice.MeetAsync(bob);
            return true;
        });
        for (var i = 0; i < Sessions; i++)
        {
            (alice, bob) = (new BenchDevice(), new BenchDevice());
            var bundle = bob.Bundle();
            var opening = await TimeAsync(times, "start", () => alice.StartAsync(bob.Address, bundle, Plaintext));
            Check(await TimeAsync(times, "accept", () => bob.DecryptAsync(alice.Address, opening).AsTask()));
            var answer = await bob.EncryptAsync(alice.Address, Plaintext);
            Check(await alice.DecryptAsync(bob.Address, answer));
        }

        await TimeAsync(times, "formats", async () =>
        {
            await OtherFormats.CheckAsync(alice, bob);
            return true;
        });

        for (var i = 0; i < Messages; i++)
        {
            var sent = await TimeAsync(times, "encrypt", () => alice.EncryptAsync(bob.Address, Plaintext).AsTask());
            Check(await TimeAsync(times, "decrypt", () => bob.DecryptAsync(alice.Address, sent).AsTask()));
        }

        for (var i = 0; i < Messages; i++)
        {
            await TimeAsync(times, "turn", async () =>
            {
                var (from, to) = i % 2 == 0 ? (bob, alice) : (alice, bob);
                Check(await to.DecryptAsync(from.Address, await from.EncryptAsync(to.Address, Plaintext)));
                return true;
            });
        }
    }

    private static async Task<T> TimeAsync<T>(Dictionary<string, List<double>> times, string step, Func<Task<T>> run)
    {
        var start = Stopwatch.GetTimestamp();
        var result = await run();
        var elapsed = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        if (!times.TryGetValue(step, out var all))
        {
            times[step] = all = [];
        }

        all.Add(elapsed);
        return result;
    }

    private static void Check(byte[] decrypted, [CallerLineNumber] int line = 0)
    {
        if (!decrypted.AsSpan().SequenceEqual(Plaintext))
        {
            throw new InvalidOperationException($"Line {line}: the message came out as another.");
        }
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
