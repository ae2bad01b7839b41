using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Push;

/// <summary>Looks a host's addresses up.</summary>
internal delegate Task<IPAddress[]> ResolveHost(string host, CancellationToken ct);

/// <summary>Lets requests to URLs that users gave reach the public internet and nothing else.</summary>
/// <remarks>
/// Attack: an endpoint on, or a name that resolves to, the operator's own network. The address that was checked is the one that is
/// connected to, so a name that changes between the two gains nothing. Redirects are not followed, proxies not used.
/// </remarks>
internal sealed class EndpointGuard
{
    private readonly ResolveHost _resolve;
    private readonly IPNetwork[] _allowed;
    private readonly int[] _ports;

    public EndpointGuard(ResolveHost resolve, IOptions<PushOptions> options)
    {
        _resolve = resolve;
        _allowed = [.. options.Value.AllowedNetworks.Select(text => IpNetworksAttribute.TryParse(text, out var network)
            ? network
            : throw new InvalidOperationException("The settings were not checked."))];
        _ports = options.Value.AllowedPorts;
    }

    /// <summary>Whether a URL may be contacted, as far as its text tells.</summary>
    public bool Accepts(string text, out Uri endpoint)
    {
        endpoint = null!;
        if (text.Length is 0 or > Limits.MaxPushEndpointBytes
            || !Ascii.IsValid(text)
            || text.Any(letter => letter is <= ' ' or '\\' or (char)127)
            || !Uri.TryCreate(text, UriKind.Absolute, out var url)
            || url.UserInfo.Length > 0
            || url.Fragment.Length > 0
            || url.Host.Length is 0
            || !(url.Scheme is "https" || (url.Scheme is "http" && _allowed.Length > 0))
            || !((url.Port is 443 && url.Scheme is "https") || _ports.Contains(url.Port))
            || (IPAddress.TryParse(url.DnsSafeHost, out var address) && !MayReach(address, url.Scheme is "https")))
        {
            return false;
        }

        endpoint = url;
        return true;
    }

    /// <summary>A client for endpoints of users. It follows nothing, remembers nothing and reads next to nothing of an answer.</summary>
    public HttpClient CreateClient() => new(new SocketsHttpHandler
    {
        ConnectCallback = ConnectAsync,
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        ActivityHeadersPropagator = null,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        MaxResponseHeadersLength = 16,
        MaxResponseDrainSize = 0,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        MaxConnectionsPerServer = 64,
    })
    {
        Timeout = TimeSpan.FromSeconds(10),
        MaxResponseContentBufferSize = 16 * 1024,
        DefaultRequestVersion = HttpVersion.Version20,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
    };

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var isSecure = context.InitialRequestMessage.RequestUri!.Scheme is "https";
        var found = IPAddress.TryParse(host, out var literal) ? [literal] : await _resolve(host, ct);
        var addresses = found.Where(address => MayReach(address, isSecure)).Take(MaxAddresses).ToArray();
        if (addresses.Length is 0)
        {
            throw new BlockedEndpointException();
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private bool MayReach(IPAddress address, bool isSecure)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return (isSecure && PublicAddresses.Contains(plain)) || _allowed.Any(network => network.Contains(plain));
    }

    private const int MaxAddresses = 4;
}

/// <summary>No address of the host may be contacted.</summary>
internal sealed class BlockedEndpointException() : Exception("The host has no address that may be contacted.");
