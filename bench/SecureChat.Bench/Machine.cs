using System.Globalization;
using System.Runtime.InteropServices;

namespace SecureChat.Bench;

/// <summary>What the figures were measured on.</summary>
internal static class Machine
{
    public static IReadOnlyList<string> Describe()
    {
        var cpu = Value("/proc/cpuinfo", "model name");
        var memory = long.Parse(Value("/proc/meminfo", "MemTotal").Split(' ')[0], CultureInfo.InvariantCulture) / (1024 * 1024);
        var commit = Repository.FirstLine("git", "rev-parse", "--short=12", "HEAD");
        var changed = Repository.FirstLine("git", "status", "--porcelain", "--untracked-files=no").Length > 0;
        return
        [
            $"{cpu}, {Cores()} cores, {memory} GiB",
            $"{Value("/etc/os-release", "PRETTY_NAME", '=').Trim('"')}, Linux {File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}, {RuntimeInformation.FrameworkDescription}",
            $"commit {commit}{(changed ? " with uncommitted changes" : "")}, load average before the run {File.ReadAllText("/proc/loadavg").Split(' ')[0]}{Priority()}",
            $"command: `securechat-bench {string.Join(' ', Environment.GetCommandLineArgs()[1..])}`",
        ];
    }

    // Environment.ProcessorCount is what taskset leaves to this process.
    private static int Cores() =>
        File.ReadLines("/proc/cpuinfo").Count(line => line.StartsWith("processor", StringComparison.Ordinal));

    // On a machine with other work a run may have been given precedence; the figures depend on it.
    private static string Priority()
    {
        const string file = "/proc/self/autogroup";
        var nice = File.Exists(file) ? File.ReadAllText(file).Trim().Split(' ')[^1] : "0";
        return nice == "0" ? "" : $", scheduler group at nice {nice}";
    }

    private static string Value(string file, string name, char separator = ':')
    {
        var line = File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal));
        return line?[(line.IndexOf(separator) + 1)..].Trim() ?? "unknown";
    }
}
