using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios.Turn;

/// <summary>Somebody with a credential wants the relay to reach where only the relay can.</summary>
public sealed class InsideNetworks(Worlds worlds, LibsignalPeer peer, ITestOutputHelper output)
{
    // First and last addresses of special ranges, the famous ones between, and every way to write an IPv4 address in IPv6.
    private static readonly string[] Special =
    [
        "0.0.0.0", "0.0.0.1", "0.255.255.255", "10.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.0", "100.100.100.200", "100.127.255.255",
        "127.0.0.1", "127.0.0.53", "127.1.2.3", "127.255.255.255", "169.254.0.1", "169.254.169.254", "169.254.170.2", "169.254.255.255",
        "172.16.0.0", "172.17.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1",
        "192.88.99.1", "192.168.0.1", "192.168.1.254", "192.168.255.255", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "224.0.0.251", "239.255.255.250", "240.0.0.1", "255.255.255.254", "255.255.255.255",
        "::", "::1", "::2", "::7f00:1", "::a00:1", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "::ffff:192.168.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808",
        "64:ff9b:1::a00:1", "64:ff9b:1:ffff::1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:7f00:1::1", "2001:2::1", "2001:10::1", "2001:20::1",
        "2001:db8::1", "2002:7f00:1::1", "2002:a9fe:a9fe::1", "2002:c0a8:1::1", "2620:4f:8000::1", "3fff::1", "5f00::1", "fc00::1",
        "fd00::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1",
    ];

    // A relay that refuses everybody would refuse the special ones too.
    private static readonly string[] Ordinary =
    [
        "1.1.1.1", "8.8.8.8", "100.128.0.1", "128.0.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.254",
        "2400:cb00::1", "2606:4700:4700::1111", "2a00:1450::1", "2c0f:f248::1",
    ];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task T13_no_special_address_is_reached_through_a_relay_and_every_other_may_be()
    {
        await using var calls = await RelayedCalls.StartAsync(worlds, peer, Ct);
        await using var four = await calls.AllocatedAsync(Ct);
        await using var six = await calls.AllocatedAsync(Ct, family: AddressFamily.InterNetworkV6);
        using var listener = Listener();
        var port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        var outcomes = new List<string>();

        foreach (var address in Special.Append(RelayedCalls.Own!.ToString()).Select(IPAddress.Parse))
        {
            var (client, inside) = (address.AddressFamily is AddressFamily.InterNetwork ? four : six, new IPEndPoint(address, port));
            outcomes.Add($"{address} {await client.PermitAsync(inside, Ct)} {await client.BindAsync(0x4000, inside, Ct)}");
            await client.SendAsync(inside, [1, 2, 3, 4], Ct);
            await client.SendAsync(0x4000, [1, 2, 3, 4], Ct);
        }

        var ordinary = new List<int>();
        foreach (var address in Ordinary.Select(IPAddress.Parse))
        {
            var client = address.AddressFamily is AddressFamily.InterNetwork ? four : six;
            ordinary.Add(await client.PermitAsync(new IPEndPoint(address, port), Ct));
        }

        // An answer to a later request says that what came before has been dealt with.
        await Task.WhenAll(four.RefreshAsync(Ct), six.RefreshAsync(Ct));
        output.WriteLine($"{outcomes.Count} addresses, {listener.Available} bytes arrived");
        Assert.All(ordinary, code => Assert.Equal(0, code));
        Assert.All(outcomes, outcome => Assert.EndsWith(" 403 403", outcome, StringComparison.Ordinal));
        Assert.False(listener.Poll(TimeSpan.FromMilliseconds(200), SelectMode.SelectRead));
        Assert.DoesNotContain("169.254.169.254", calls.Printed, StringComparison.Ordinal);
        Assert.DoesNotContain("session", calls.Printed, StringComparison.Ordinal);
    }

    /// <param name="nat">The public address of a relay behind NAT.</param>
    [Theory]
    [InlineData(null)]
    [InlineData("203.0.113.77")]
    public async Task T13_two_who_both_use_the_relay_reach_each_other_and_loopback_stays_closed(string? nat)
    {
        string[] more = nat is null ? [] : [$"--external-ip={nat}/{RelayedCalls.Own}"];
        await using var calls = await RelayedCalls.StartAsync(worlds, peer, Ct, more: [$"--allowed-peer-ip={RelayedCalls.Own}", .. more]);
        foreach (var url in new[] { calls.Udp, calls.Tcp, calls.Tls })
        {
            await using var alice = await calls.AllocatedAsync(Ct, url);
            await using var bob = await calls.AllocatedAsync(Ct);

            var permitted = (await alice.PermitAsync(bob.Relayed, Ct), await bob.BindAsync(0x4001, alice.Relayed, Ct));
            await alice.SendAsync(bob.Relayed, "offer!"u8.ToArray(), Ct);
            var heard = await bob.Received.ReadAsync(Ct);
            await bob.SendAsync(0x4001, "answer"u8.ToArray(), Ct);
            var answered = await alice.Received.ReadAsync(Ct);

            Assert.Equal((0, 0), permitted);
            Assert.Equal(("offer!", "answer"), (Encoding.ASCII.GetString(heard), Encoding.ASCII.GetString(answered)));
            Assert.Equal(nat ?? RelayedCalls.Own!.ToString(), alice.Relayed.Address.ToString());
            Assert.Equal(403, await alice.PermitAsync(new IPEndPoint(IPAddress.Loopback, bob.Relayed.Port), Ct));
        }

        Assert.DoesNotContain("session", calls.Printed, StringComparison.Ordinal);
    }

    /// <summary>In a network of its own, where the relay's address looks public and nothing else is there.</summary>
    [Fact]
    public async Task T13_with_the_shipped_firewall_a_relay_reaches_other_relays_and_no_service_beside_it()
    {
        Assert.SkipUnless(Coturn.IsInstalled, "coturn is not installed (Debian: apt-get install coturn)");
        Assert.SkipUnless(await CanFilterAsync(), "needs root, nft (Debian: apt-get install nftables) and leave to make a network of its own");
        var root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../.."));
        var folder = Directory.CreateTempSubdirectory("securechat-turn-");
        var script = Path.Combine(root, "tests/SecureChat.Scenarios/Turn/own-services.sh");
        var start = new ProcessStartInfo("unshare", ["-n", "sh", script, Path.Combine(root, "deploy"), folder.FullName]) { RedirectStandardOutput = true };

        using var shell = Process.Start(start)!;
        var printed = await shell.StandardOutput.ReadToEndAsync(Ct);
        await shell.WaitForExitAsync(Ct);

        folder.Delete(recursive: true);
        Assert.Equal(["service 10", "relay 10", "service 0", "relay 10", "user 3478", "rights 0000000000000000", "refused"], printed.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    // A container may have root and still be refused a network of its own.
    private static async Task<bool> CanFilterAsync()
    {
        if (!Environment.IsPrivilegedProcess || !File.Exists("/usr/sbin/nft"))
        {
            return false;
        }

        using var probe = Process.Start(new ProcessStartInfo("unshare", ["-n", "/usr/sbin/nft", "add", "table", "inet", "probe"]) { RedirectStandardError = true })!;
        await probe.WaitForExitAsync(Ct);
        return probe.ExitCode == 0;
    }

    [Fact]
    public async Task T13_nobody_gets_a_relay_for_TCP()
    {
        await using var calls = await RelayedCalls.StartAsync(worlds, peer, Ct);
        await using var client = await TurnClient.ConnectAsync(calls.Tcp, await calls.CredentialAsync(Ct), Ct);

        var code = await client.AllocateAsync(Ct, transport: 6);

        Assert.InRange(code, 400, 499);
    }

    private static Socket Listener()
    {
        var listener = new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp) { DualMode = true };
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        return listener;
    }
}
