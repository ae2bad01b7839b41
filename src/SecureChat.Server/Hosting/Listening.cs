using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using SecureChat.Protocol;

namespace SecureChat.Server.Hosting;

/// <summary>Kestrel's addresses, limits and certificates.</summary>
internal static class Listening
{
    public static void Configure(WebApplicationBuilder builder)
    {
        var server = builder.Configuration.GetSection("Server").Get<ServerOptions>() ?? new ServerOptions();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(server.DrainSeconds));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            Limit(kestrel.Limits);
            kestrel.AddServerHeader = false;
            var certificate = new Lazy<CertificateFiles>(() => new CertificateFiles(
                server.CertificateFile, server.CertificateKeyFile, kestrel.ApplicationServices.GetRequiredService<TimeProvider>()));
            Listen(kestrel, server.Api, certificate, _ => { });
            Listen(kestrel, server.Socket, certificate, _ => { });
            Listen(kestrel, server.Management, certificate, _ => { });
        });
    }

    private static void Listen(
        KestrelServerOptions kestrel, string url, Lazy<CertificateFiles> certificate, Action<ListenOptions> configure)
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
                        ServerCertificateContext = certificate.Value.Current,
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
        limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        limits.KeepAliveTimeout = TimeSpan.FromMinutes(2);
        limits.MinRequestBodyDataRate = new MinDataRate(240, TimeSpan.FromSeconds(5));
        limits.Http2.MaxStreamsPerConnection = 100;
    }

    /// <summary>The certificate in its files, read again when they change, so that a renewal needs no restart.</summary>
    private sealed class CertificateFiles(string certificate, string key, TimeProvider time)
    {
        private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(10);

        private readonly Lock _gate = new();
        private SslStreamCertificateContext? _current;
        private DateTime _written;
        private long _looked;

        public SslStreamCertificateContext Current
        {
            get
            {
                lock (_gate)
                {
                    if (_current is null || time.GetElapsedTime(_looked) > LookEvery)
                    {
                        _looked = time.GetTimestamp();
                        Refresh();
                    }

                    return _current!;
                }
            }
        }

        private void Refresh()
        {
            var written = File.GetLastWriteTimeUtc(certificate);
            if (_current is not null && written == _written)
            {
                return;
            }

            try
            {
                var chain = new X509Certificate2Collection();
                chain.ImportFromPemFile(certificate);
                _current = SslStreamCertificateContext.Create(
                    X509Certificate2.CreateFromPemFile(certificate, key), chain, offline: true);
                _written = written;
            }
            catch (Exception failure) when (
                _current is not null && failure is IOException or CryptographicException)
            {
                // Caught in the middle of a renewal: the old one serves until both files are there.
            }
        }
    }
}
