using System.Diagnostics;
using System.Text.RegularExpressions;
using SecureChat.Server.Tests.Architecture;

namespace SecureChat.Server.Tests.Documentation;

/// <summary>What is deployed keeps to what the operating guide says of it.</summary>
public sealed partial class DeploymentTests
{
    private static readonly string Folder = Path.Combine(Sources.Root, "deploy");

    [Fact]
    public void The_composed_services_publish_their_ports_on_loopback_and_the_server_writes_only_to_its_volume()
    {
        var services = Services(File.ReadAllText(Path.Combine(Folder, "docker-compose.yml")));

        Assert.Equal(["coturn", "postgres", "redis", "server"], services.Keys.Order());
        var ports = services.Values.SelectMany(text => Port().Matches(text)).Select(match => match.Value).ToList();
        Assert.Equal(["5432:5432", "6379:6379", "8080:8080", "8090:8090"], ports.Select(port => port.Split(':', 2)[1]).Order());
        Assert.All(ports, port => Assert.StartsWith("127.0.0.1:", port, StringComparison.Ordinal));
        Assert.Contains("network_mode: host", services["coturn"], StringComparison.Ordinal);
        Assert.Matches("(?m)^listening-port=3478$", File.ReadAllText(Path.Combine(Folder, "coturn", "turnserver.conf")));

        foreach (var line in (string[])
            ["read_only: true", "cap_drop: [ALL]", "security_opt: [\"no-new-privileges:true\"]", "- data:/data"])
        {
            Assert.Contains($"\n    {(line[0] is '-' ? "  " : "")}{line}\n", services["server"], StringComparison.Ordinal);
        }

        // The server's own check is in its image.
        Assert.All(["postgres", "redis", "coturn"], name => Assert.Contains("healthcheck:", services[name], StringComparison.Ordinal));
        Assert.Contains("--appendonly yes", services["redis"], StringComparison.Ordinal);
        Assert.Contains("--maxmemory-policy noeviction", services["redis"], StringComparison.Ordinal);

        // coturn gets its firewall, and what that takes, from its own entry point.
        Assert.StartsWith("    build: coturn\n", services["coturn"], StringComparison.Ordinal);
        Assert.Contains("ENTRYPOINT [\"/etc/coturn/start\"]", File.ReadAllLines(Path.Combine(Folder, "coturn", "Dockerfile")));
        Assert.DoesNotContain("entrypoint:", services["coturn"], StringComparison.Ordinal);

        // No secret has a default: a start without deploy/init says so.
        Assert.All(Variable().Matches(string.Concat(services.Values)), match => Assert.Contains(":?", match.Value, StringComparison.Ordinal));
    }

    [Fact]
    public void The_image_runs_as_nobody_special_and_checks_its_own_health()
    {
        var lines = File.ReadAllLines(Path.Combine(Folder, "Dockerfile"));
        var last = Array.FindLastIndex(lines, line => line.StartsWith("FROM ", StringComparison.Ordinal));

        Assert.Contains("USER $APP_UID", lines[last..]);
        Assert.Contains(lines[last..], line => line.StartsWith("HEALTHCHECK ", StringComparison.Ordinal) && line.Contains("\"health\"", StringComparison.Ordinal));
        Assert.True(Array.IndexOf(lines, "USER $APP_UID") < Array.FindIndex(lines, line => line.StartsWith("ENTRYPOINT", StringComparison.Ordinal)));
        Assert.Contains("EXPOSE 8080 8090", lines);
        Assert.DoesNotContain(lines[last..], line => line.StartsWith("RUN ", StringComparison.Ordinal) && line.Contains("/app", StringComparison.Ordinal));
    }

    [Fact]
    public void The_systemd_unit_is_valid_and_shuts_the_program_in()
    {
        var unit = Path.Combine(Folder, "systemd", "securechat-server.service");
        var settings = File.ReadAllLines(unit);

        foreach (var setting in (string[])
        [
            "DynamicUser=yes", "StateDirectory=securechat", "StateDirectoryMode=0700", "UMask=0077", "NoNewPrivileges=yes",
            "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "CapabilityBoundingSet=", "LimitCORE=0",
        ])
        {
            Assert.Contains(setting, settings);
        }

        if (File.Exists("/usr/bin/systemd-analyze"))
        {
            Assert.Equal("", Complaints(unit));
        }
    }

    // About anything but the program, which is not installed here.
    private static string Complaints(string unit)
    {
        var copy = Path.Combine(Directory.CreateTempSubdirectory("securechat-unit-").FullName, Path.GetFileName(unit));
        File.WriteAllText(copy, File.ReadAllText(unit)
            .Replace("/opt/securechat/securechat-server", "/bin/true", StringComparison.Ordinal)
            .Replace("Documentation=file:/opt/securechat/docs/operating.md\n", "", StringComparison.Ordinal));
        using var verify = Process.Start(new ProcessStartInfo("systemd-analyze", ["verify", "--man=no", copy])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        var said = verify.StandardError.ReadToEnd() + verify.StandardOutput.ReadToEnd();
        verify.WaitForExit();
        Directory.Delete(Path.GetDirectoryName(copy)!, recursive: true);
        return string.Join('\n', said.Split('\n').Where(line => line.Contains("securechat-server.service", StringComparison.Ordinal)));
    }

    // Each service's own lines, by its name.
    private static Dictionary<string, string> Services(string compose)
    {
        var begin = compose.IndexOf("\nservices:\n", StringComparison.Ordinal);
        var end = compose.IndexOf("\nvolumes:\n", StringComparison.Ordinal);
        return Service().Matches(compose[(begin + "\nservices:".Length)..end])
            .ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
    }

    [GeneratedRegex(@"^  ([a-z]+):\n((?:(?:    .*)?\n)*)", RegexOptions.Multiline)]
    private static partial Regex Service();

    [GeneratedRegex(@"[0-9.]+:[0-9]+:[0-9]+(?="")")]
    private static partial Regex Port();

    [GeneratedRegex(@"\$\{[^}]*\}")]
    private static partial Regex Variable();
}
