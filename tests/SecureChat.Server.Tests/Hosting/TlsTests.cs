using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Hosting;

public sealed class TlsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-tls-");

    private string CertificateFile => Path.Combine(_folder.FullName, "chain.pem");

    private string KeyFile => Path.Combine(_folder.FullName, "key.pem");

    [Fact]
    public async Task A_renewed_certificate_is_served_without_a_restart_and_a_half_written_one_never()
    {
        var first = Write("one");
        var port = ChildProcess.FreePort();
        await using var node = await LoopbackNode.StartAsync(
            $"--Server:Api=https://127.0.0.1:{port}", $"--Server:CertificateFile={CertificateFile}", $"--Server:CertificateKeyFile={KeyFile}");
        Assert.Equal(first, await ServedAsync(port));

        await File.WriteAllTextAsync(CertificateFile, "-----BEGIN CERT", TestContext.Current.CancellationToken);
        Assert.Equal(first, await ServedAsync(port));

        var second = Write("two");
        Assert.Equal(second, await ServedAsync(port));
        Assert.NotEqual(first, second);
    }

    [Fact]
    public async Task The_sockets_own_port_speaks_TLS_too_and_serves_a_renewed_certificate()
    {
        var first = Write("one");
        var port = ChildProcess.FreePort();
        await using var node = await LoopbackNode.StartAsync(
            $"--Server:Socket=https://127.0.0.1:{port}", $"--Server:CertificateFile={CertificateFile}", $"--Server:CertificateKeyFile={KeyFile}");
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());

        var (before, to) = await ConnectAsync(port, bob);
        var second = Write("two");
        var (after, from) = await ConnectAsync(port, alice);
        await SendAsync(from, new ClientFrame { Request = 1, Send = ChatSocket.Message("over TLS", bob) });

        Assert.Equal((first, second), (before, after));
        Assert.NotNull((await NextAsync(to)).QueueEmpty);
        Assert.Equal("over TLS", (await NextAsync(to)).Deliver.Envelope.Content.ToStringUtf8());
        await Assert.ThrowsAsync<WebSocketException>(() => ChatSocket.ConnectAsync(port, alice));
        to.Dispose();
        from.Dispose();
    }

    public void Dispose() => _folder.Delete(recursive: true);

    // Its thumbprint.
    private string Write(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        File.WriteAllText(CertificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(KeyFile, key.ExportPkcs8PrivateKeyPem());
        return certificate.Thumbprint;
    }

    // And the thumbprint that was served.
    private static async Task<(string Served, ClientWebSocket Socket)> ConnectAsync(int port, ChatDevice device)
    {
        var (socket, served) = (new ClientWebSocket(), "");
        socket.Options.SetRequestHeader("Authorization", $"Bearer {device.AccessToken}");
        socket.Options.AddSubProtocol("securechat.v1.proto");
        socket.Options.RemoteCertificateValidationCallback = (_, certificate, _, _) =>
        {
            served = (certificate as X509Certificate2)?.Thumbprint ?? "";
            return served.Length > 0;
        };
        await socket.ConnectAsync(new Uri($"wss://127.0.0.1:{port}/ws"), TestContext.Current.CancellationToken);
        return (served, socket);
    }

    private static Task SendAsync(ClientWebSocket socket, ClientFrame frame) => socket.SendAsync(
        frame.ToByteArray(), WebSocketMessageType.Binary, true, TestContext.Current.CancellationToken);

    private static async Task<ServerFrame> NextAsync(ClientWebSocket socket)
    {
        var buffer = new byte[4096];
        var part = await socket.ReceiveAsync(buffer, TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        return ServerFrame.Parser.ParseFrom(buffer.AsSpan(0, part.Count));
    }

    private static async Task<string> ServedAsync(int port)
    {
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(IPAddress.Loopback, port, TestContext.Current.CancellationToken);
        var served = "";
        await using var tls = new SslStream(tcp.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) =>
        {
            served = (certificate as X509Certificate2)?.Thumbprint ?? "";
            return served.Length > 0;
        });
        await tls.AuthenticateAsClientAsync("localhost");
        return served;
    }
}
