using System.ComponentModel.DataAnnotations;
using System.Net;

namespace SecureChat.Server.Hosting;

/// <summary>An <c>http</c> or <c>https</c> URL of host and port; empty is left to <see cref="RequiredAttribute"/>.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ListenUrlAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is "" || ListenAddress.TryParse(value as string, out _);

    public override string FormatErrorMessage(string name) =>
        $"{name} must be a URL of scheme, host and port, for example 'http://localhost:8080' or 'https://*:443'.";
}

/// <summary>IP addresses or networks in CIDR notation.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class IpNetworksAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => ((string[]?)value ?? []).All(text => TryParse(text, out _));

    public override string FormatErrorMessage(string name) =>
        $"{name} must list IP addresses or networks, for example '127.0.0.1' or '10.0.0.0/8'.";

    /// <summary>A single address is a network of one.</summary>
    public static bool TryParse(string text, out IPNetwork network)
    {
        if (IPAddress.TryParse(text, out var address))
        {
            network = new IPNetwork(address, address.GetAddressBytes().Length * 8);
            return true;
        }

        return IPNetwork.TryParse(text, out network);
    }
}

/// <summary>Web origins: scheme and host, no path.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class WebOriginsAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => ((string[]?)value ?? []).All(text =>
        Uri.TryCreate(text, UriKind.Absolute, out var url)
        && url.Scheme is "http" or "https"
        && text == url.GetLeftPart(UriPartial.Authority));

    public override string FormatErrorMessage(string name) =>
        $"{name} must list web origins without a path, for example 'https://chat.example.org'.";
}
