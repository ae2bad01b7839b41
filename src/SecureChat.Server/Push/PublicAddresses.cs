using System.Net;
using System.Net.Sockets;

namespace SecureChat.Server.Push;

/// <summary>Tells addresses of the public internet from all others: private, local, shared, documentation, transition, multicast.</summary>
/// <remarks>IANA special-purpose registries for IPv4 and IPv6 (RFC 6890), and the address of a cloud's metadata service that is in neither.</remarks>
internal static class PublicAddresses
{
    public static bool Contains(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        return address.AddressFamily is AddressFamily.InterNetwork
            ? !Excluded4.Any(network => network.Contains(address))
            : Unicast6.Contains(address) && !Excluded6.Any(network => network.Contains(address));
    }

    private static readonly IPNetwork[] Excluded4 =
    [
        IPNetwork.Parse("0.0.0.0/8"),
        IPNetwork.Parse("10.0.0.0/8"),
        IPNetwork.Parse("100.64.0.0/10"),
        IPNetwork.Parse("127.0.0.0/8"),
        IPNetwork.Parse("169.254.0.0/16"),
        IPNetwork.Parse("172.16.0.0/12"),
        IPNetwork.Parse("192.0.0.0/24"),
        IPNetwork.Parse("192.0.2.0/24"),
        IPNetwork.Parse("192.31.196.0/24"),
        IPNetwork.Parse("192.52.193.0/24"),
        IPNetwork.Parse("192.88.99.0/24"),
        IPNetwork.Parse("192.168.0.0/16"),
        IPNetwork.Parse("192.175.48.0/24"),
        IPNetwork.Parse("198.18.0.0/15"),
        IPNetwork.Parse("198.51.100.0/24"),
        IPNetwork.Parse("203.0.113.0/24"),
        IPNetwork.Parse("224.0.0.0/4"),
        IPNetwork.Parse("240.0.0.0/4"),

        // Azure's metadata and health service, on every virtual machine there.
        IPNetwork.Parse("168.63.129.16/32"),
    ];

    // Everything else is unassigned, local, multicast or a translation (64:ff9b::/96, ::ffff:0:0/96).
    private static readonly IPNetwork Unicast6 = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork[] Excluded6 =
    [
        // Protocol assignments: Teredo, benchmarking, ORCHID.
        IPNetwork.Parse("2001::/23"),
        IPNetwork.Parse("2001:db8::/32"),

        // 6to4: an IPv4 address inside.
        IPNetwork.Parse("2002::/16"),
        IPNetwork.Parse("2620:4f:8000::/48"),
        IPNetwork.Parse("3fff::/20"),
    ];
}
