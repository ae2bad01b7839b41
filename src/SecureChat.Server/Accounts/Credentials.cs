using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Accounts;

/// <summary>Finds out which device speaks, from an <c>Authorization</c> header; for HTTP and for sockets alike.</summary>
internal sealed class Credentials(AccessTokens tokens, AccountDirectory directory, Anomalies anomalies)
{
    /// <summary>Null unless the header is a bearer token of a device that exists and whose credentials have not ended.</summary>
    /// <param name="network">Whose doing a forged token is: not the account's that it names.</param>
    public async ValueTask<Caller?> AuthenticateAsync(string? authorization, ReadOnlyMemory<byte> network, CancellationToken ct)
    {
        if (authorization is null || !authorization.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var (caller, isForged) = await tokens.JudgeAsync(authorization[Prefix.Length..]);
        if (isForged)
        {
            anomalies.Observe(Detectors.FailedAuth, network.Span, 1);
        }

        return caller is not null && await directory.IsCurrentAsync(caller.Account, caller.Device, caller.Epoch, ct) ? caller : null;
    }

    private const string Prefix = "Bearer ";
}

/// <summary>The authentication scheme: sets the <see cref="Caller"/> feature, and refuses with problem documents.</summary>
internal sealed class BearerScheme(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, Credentials credentials)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    public const string SchemeName = "Bearer";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Request.Headers.Authorization is not [{ } header])
        {
            return AuthenticateResult.NoResult();
        }

        if (await credentials.AuthenticateAsync(
            header, RateLimiter.Network(Context.Connection.RemoteIpAddress), Context.RequestAborted) is not { } caller)
        {
            return AuthenticateResult.Fail("The token is not valid.");
        }

        Context.Features.Set(caller);
        var identity = new ClaimsIdentity(
            [new("sub", caller.Account.ToString()), new("dev", $"{caller.Device}")], SchemeName, "sub", null);
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), SchemeName));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = SchemeName;
        return Problem.From(ProtocolError.Unauthorized).ExecuteAsync(Context);
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        Problem.From(ProtocolError.Forbidden).ExecuteAsync(Context);
}
