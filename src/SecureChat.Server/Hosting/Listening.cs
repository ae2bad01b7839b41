using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using SecureChat.Protocol;

namespace SecureChat.Server.Hosting;

/// <summary>Kestrel's addresses, limits and certificates.</summary>
internal static class Listening
{
    public static void Configure(WebApplicationBuilder builder)
    {
        var server = builder.Configuration.GetSection("Server").Get<ServerOptions>() ?? new ServerOptions();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(server.DrainSeconds));

        // What waits in memory for a slow store, per connection: the default of 1 MiB is for few connections.
        builder.Services.Configure<SocketTransportOptions>(sockets =>
        {
            sockets.MaxReadBufferSize = 128 * 1024;
            sockets.CreateBoundListenSocket = Bind;
        });
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            Limit(kestrel.Limits);
            (kestrel.Limits.MaxConcurrentConnections, kestrel.Limits.MaxConcurrentUpgradedConnections) = (server.MaxConnections, server.MaxConnections);
            kestrel.AddServerHeader = false;
            var certificate = new CertificateFiles(server.CertificateFile, server.CertificateKeyFile);
            Listen(kestrel, server.Api, certificate, _ => { });
            Listen(kestrel, server.Socket, certificate, Program.ServeSockets);
            Listen(kestrel, server.Management, certificate, _ => { });
        });
    }

    // The kernel would take megabytes for a client that reads nothing: memory nobody counts, and nobody sees that it stands still.
    private static Socket Bind(EndPoint endpoint)
    {
        const int tcp = 6, tcpNotSentLowAt = 25;
        var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        if (OperatingSystem.IsLinux() && endpoint is IPEndPoint)
        {
            // Every connection inherits it. What is sent and not confirmed yet is not counted, so it slows nobody down.
            socket.SetRawSocketOption(tcp, tcpNotSentLowAt, BitConverter.GetBytes(64 * 1024));
        }

        return socket;
    }

    private static void Listen(
        KestrelServerOptions kestrel, string url, CertificateFiles certificate, Action<ListenOptions> configure)
    {
        if (!ListenAddress.TryParse(url, out var address))
        {
            return;
        }

        address.Listen(kestrel, options =>
        {
            if (address.IsTls)
            {
                options.UseHttps(new TlsHandshakeCallbackOptions
                {
                    OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
                    {
                        ServerCertificateContext = certificate.Current,
                    }),
                });
            }

            configure(options);
        });
    }

    // Nothing this server does needs a large header or a body beyond one message to all devices of all recipients.
    private static void Limit(KestrelServerLimits limits)
    {
        limits.MaxRequestHeadersTotalSize = 16 * 1024;
        limits.MaxRequestHeaderCount = 50;
        limits.MaxRequestLineSize = 4 * 1024;
        limits.MaxRequestBodySize = Limits.MaxFrameBytes * 8;

        // Behind TLS, where bodies wait a second time; see MaxReadBufferSize.
        limits.MaxRequestBufferSize = 64 * 1024;
        limits.Http2.InitialStreamWindowSize = 128 * 1024;
        limits.Http2.InitialConnectionWindowSize = 512 * 1024;
        limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        limits.KeepAliveTimeout = TimeSpan.FromMinutes(2);
        limits.MinRequestBodyDataRate = new MinDataRate(240, TimeSpan.FromSeconds(5));
        limits.Http2.MaxStreamsPerConnection = 100;
    }

    /// <summary>The certificate in its files, read again when one of them changes, so that a renewal needs no restart.</summary>
    private sealed class CertificateFiles(string certificate, string key)
    {
        private readonly Lock _gate = new();
        private SslStreamCertificateContext? _current;
        private (DateTime, DateTime) _written;

        /// <summary>Asked at every handshake, beside which looking at two files costs nothing.</summary>
        public SslStreamCertificateContext Current
        {
            get
            {
                lock (_gate)
                {
                    var written = (File.GetLastWriteTimeUtc(certificate), File.GetLastWriteTimeUtc(key));
                    if (_current is null || written != _written)
                    {
                        Read(written);
                    }

                    return _current!;
                }
            }
        }

        private void Read((DateTime, DateTime) written)
        {
            try
            {
                var chain = new X509Certificate2Collection();
                chain.ImportFromPemFile(certificate);
                _current = SslStreamCertificateContext.Create(
                    X509Certificate2.CreateFromPemFile(certificate, key), chain, offline: true);
                _written = written;
            }
            catch (Exception failure) when (
                _current is not null && failure is IOException or CryptographicException or ArgumentException)
            {
                // Caught in the middle of a renewal: the old one serves until both files belong together.
            }
        }
    }
}
