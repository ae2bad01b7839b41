using System.Net;
using System.Text.Json;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Abuse;
using SecureChat.Server.Hosting;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Abuse;

/// <summary>What the operator is shown, and what sockets are told; on real ports.</summary>
public sealed class AnomalySocketTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task On_the_socket_a_first_message_of_a_spammer_is_sent_back_and_an_ordinary_one_goes_through()
    {
        await using var node = await LoopbackNode.StartAsync("--Limits:Scale=1");
        var (spammer, friend) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var socket = await ChatSocket.ReadyAsync(node.SocketPort, spammer);
        var anomalies = node.Get<Anomalies>();
        var account = spammer.Address.Account.ToByteArray(bigEndian: true);
        await AnomaliesTests.ObserveAsync(anomalies, Detectors.FanOut, account, Detectors.FanOut.Prove + 10);

        var first = ChatSocket.Message("buy this", friend);
        first.Recipients[0].Devices[0].Type = ContentType.Prekey;
        await socket.SendMessageAsync(first);
        var asked = (await socket.NextAsync()).Problem;
        await socket.SendMessageAsync(ChatSocket.Message("see you at six", friend));
        var usual = await socket.NextAsync();
        await AnomaliesTests.ObserveAsync(anomalies, Detectors.FanOut, account, Detectors.FanOut.Refuse);
        await socket.SendMessageAsync(first);
        var refused = (await socket.NextAsync()).Problem;

        Assert.Equal(("proof_of_work_required", 428u), (asked.Code, asked.Status));
        Assert.NotNull(usual.Accepted);
        Assert.Equal("rate_limited", refused.Code);
        Assert.True(refused.RetryAfter > 0);
    }

    [Fact]
    public async Task A_device_that_opens_sockets_without_end_waits_and_others_do_not()
    {
        await using var node = await LoopbackNode.StartAsync("--Limits:Scale=1");
        var (churner, other) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        byte[] device = [.. churner.Address.Account.ToByteArray(bigEndian: true), (byte)churner.Address.Device];
        await AnomaliesTests.ObserveAsync(node.Get<Anomalies>(), Detectors.SocketChurn, device, Detectors.SocketChurn.Slow + 20);

        for (var i = 0; i < 2; i++)
        {
            await using var slowly = await ChatSocket.ReadyAsync(node.SocketPort, churner);
        }

        await Assert.ThrowsAsync<System.Net.WebSockets.WebSocketException>(() => ChatSocket.ConnectAsync(node.SocketPort, churner));
        await Assert.ThrowsAsync<System.Net.WebSockets.WebSocketException>(() => ChatSocket.ConnectAsync(node.ApiPort, churner));
        await using var undisturbed = await ChatSocket.ReadyAsync(node.SocketPort, other);
    }

    [Fact]
    public async Task The_operator_sees_levels_and_counts_and_nobodys_name()
    {
        var port = ChildProcess.FreePort();
        await using var node = await LoopbackNode.StartAsync("--Limits:Scale=1", $"--Server:Management=http://127.0.0.1:{port}");
        var spammer = await node.NewDeviceAsync();
        var account = spammer.Address.Account;
        await AnomaliesTests.ObserveAsync(
            node.Get<Anomalies>(), Detectors.FanOut, account.ToByteArray(bigEndian: true), Detectors.FanOut.Prove + 10);
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };

        var json = await http.GetStringAsync(new Uri("/anomalies", UriKind.Relative), Ct);
        var metrics = await http.GetStringAsync(new Uri("/metrics", UriKind.Relative), Ct);
        using var api = new HttpClient();
        using var outside = await api.GetAsync(new Uri($"http://127.0.0.1:{node.ApiPort}/anomalies"), Ct);

        var state = JsonSerializer.Deserialize(json, AnomalyJson.Default.AnomalyReport)!.Detectors.Single(one => one.Detector == "fan-out");
        Assert.Equal((0, 1, 0), (state.Slow, state.Prove, state.Refuse));
        Assert.InRange(state.Level, Detectors.FanOut.Prove, Detectors.FanOut.Prove + 10);
        Assert.Equal(8, Assert.Single(state.Highest).Actor.Length);
        Assert.Contains("securechat_anomalies_actors", metrics, StringComparison.Ordinal);
        Assert.Contains("detector=\"fan-out\"", metrics, StringComparison.Ordinal);
        Assert.Contains("grade=\"prove\"", metrics, StringComparison.Ordinal);
        Assert.All([json, metrics], text => Assert.DoesNotContain(account.ToString(), text, StringComparison.OrdinalIgnoreCase));
        Assert.All([json, metrics], text => Assert.DoesNotContain(account.ToString("N"), text, StringComparison.OrdinalIgnoreCase));
        Assert.Equal(HttpStatusCode.NotFound, outside.StatusCode);
    }

    [Fact]
    public async Task The_command_asks_the_running_server_and_says_when_there_is_none()
    {
        var port = ChildProcess.FreePort();
        var setting = $"--Server:Management=http://127.0.0.1:{port}";
        await using var node = await LoopbackNode.StartAsync("--Limits:Scale=1", setting);
        string[] settings = [setting, $"--Storage:DataFolder={node.Folder}"];

        Assert.Equal(0, CommandLine.Run(["anomalies", .. settings], AnomaliesCommand.Create()));
        Assert.Equal(0, CommandLine.Run(["anomalies", "--json", .. settings], AnomaliesCommand.Create()));
        Assert.Equal(2, CommandLine.Run(["anomalies", "--Server:Management="], AnomaliesCommand.Create()));
        Assert.Equal(
            1, CommandLine.Run(["anomalies", $"--Server:Management=http://127.0.0.1:{ChildProcess.FreePort()}", settings[1]], AnomaliesCommand.Create()));
    }
}
