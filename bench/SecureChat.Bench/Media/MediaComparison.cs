using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Bench.Load;
using SecureChat.Bench.Targets;

namespace SecureChat.Bench.Media;

/// <summary>Files up and down through this server and through nginx, in turns.</summary>
/// <param name="files">At once, each on a connection of its own.</param>
internal sealed class MediaComparison(int rounds, int files, long bytes, int? serverCore, CancellationToken ct)
{
    // Random and longer than any buffer on the way, so that no place is mistaken for another.
    private readonly byte[] _content = RandomNumberGenerator.GetBytes((8 << 20) + 13);

    public string Run()
    {
        if (NginxFiles.Version.Length is 0)
        {
            throw new BenchException("nginx is missing: run bench/media, or `apt-get install nginx`.");
        }

        var machine = Machine.Describe();
        using var accounts = TestAccounts.CreateAsync(1, ct).GetAwaiter().GetResult();
        using var ours = new SecureChatFiles(accounts);
        using var nginx = new NginxFiles();
        FileServer[] servers = [ours, nginx];
        var results = new Dictionary<(string Server, bool Up), List<Transfer>>();
        foreach (var server in servers)
        {
            server.Start(serverCore, ct);
            (results[(server.Name, true)], results[(server.Name, false)]) = ([], []);

            // Until compilers and caches have seen it all; and every byte is compared once.
            for (var i = 0; i < 3; i++)
            {
                Round(server, compare: true);
            }
        }

        for (var round = 0; round < rounds; round++)
        {
            foreach (var server in servers)
            {
                Terminal.Progress(string.Create(CultureInfo.InvariantCulture, $"round {round + 1} of {rounds}: {server.Name}"));
                var (up, down) = Round(server, compare: false);
                results[(server.Name, true)].Add(up);
                results[(server.Name, false)].Add(down);
            }
        }

        return Report(machine, results);
    }

    private (Transfer Up, Transfer Down) Round(FileServer server, bool compare)
    {
        var names = new string[files];
        var claims = new string[files];
        var up = Measure(server, (connection, i) => names[i] = server.Upload(connection, _content, bytes));
        var down = Measure(server, (connection, i) =>
        {
            claims[i] = server.Download(connection, names[i]);
            connection.ReadBody(bytes, _content, compare);
        });
        using var last = server.Connect();
        for (var i = 0; i < files; i++)
        {
            server.Remove(last, names[i], claims[i]);
        }

        return (up, down);
    }

    private Transfer Measure(FileServer server, Action<HttpConnection, int> transfer)
    {
        ct.ThrowIfCancellationRequested();
        var connections = Enumerable.Range(0, files).Select(_ => server.Connect()).ToArray();
        var failures = new Exception?[files];
        var (cpu, began) = (server.Process.CpuSeconds, Clock.Now);
        var threads = connections.Select((connection, i) => new Thread(() =>
        {
            try
            {
                transfer(connection, i);
            }
            catch (Exception failure) when (failure is BenchException or System.Net.Sockets.SocketException)
            {
                failures[i] = failure;
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        var mebibytes = files * bytes / 1048576.0;
        var result = new Transfer(mebibytes / Clock.Seconds(Clock.Now - began), (server.Process.CpuSeconds - cpu) * 1000 / mebibytes);
        foreach (var connection in connections)
        {
            connection.Dispose();
        }

        return Array.Find(failures, failure => failure is not null) is { } first ? throw new BenchException(first.Message) : result;
    }

    private string Report(IReadOnlyList<string> machine, Dictionary<(string Server, bool Up), List<Transfer>> results)
    {
        var report = new StringBuilder("# Files: secureChat beside nginx\n\n");
        foreach (var line in machine)
        {
            report.Append(CultureInfo.InvariantCulture, $"- {line}\n");
        }

        report.Append(CultureInfo.InvariantCulture,
            $"- nginx {NginxFiles.Version} (Debian): one worker, sendfile, PUT by its dav module; no quota, no counting, no resuming\n");
        report.Append(CultureInfo.InvariantCulture,
            $"- {rounds} rounds in turns, {files} files of {bytes >> 20} MiB at once, loopback, from the page cache; medians [lowest to highest]\n\n");
        report.Append("| | server | MiB/s | CPU ms per MiB | MiB/s over nginx's |\n| --- | --- | --- | --- | --- |\n");
        foreach (var up in new[] { true, false })
        {
            var nginx = Median(results[("nginx", up)], one => one.Rate);
            foreach (var name in new[] { "securechat", "nginx" })
            {
                var runs = results[(name, up)];
                var rate = Median(runs, one => one.Rate);
                report.Append(CultureInfo.InvariantCulture,
                    $"| {(up ? "upload" : "download")} | {name} | {rate:0} [{runs.Min(one => one.Rate):0} to {runs.Max(one => one.Rate):0}] "
                    + $"| {Median(runs, one => one.CpuMillis):0.00} | {rate / nginx:0.00} |\n");
            }
        }

        return report.ToString();
    }

    private static double Median(List<Transfer> runs, Func<Transfer, double> figure)
    {
        var sorted = runs.Select(figure).Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    private sealed record Transfer(double Rate, double CpuMillis);
}
