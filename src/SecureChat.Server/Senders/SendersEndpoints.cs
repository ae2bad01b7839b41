using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Protocol.Senders;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Senders;

/// <summary>Who may send to the caller, and certificates for sending unnamed. Spec: docs/protocol/sealed-sender.md.</summary>
internal static class SendersEndpoints
{
    public static void AddSenders(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton(provider => SenderSigner.Load(
            provider.GetRequiredService<IOptions<SecretsOptions>>().Value,
            provider.GetRequiredService<IOptions<StorageOptions>>().Value.DataFolder));
        services.AddSingleton<SenderCertificates>();
        services.AddSingleton<SendPolicies>();
        services.AddSingleton<ReportTokens>();
        services.AddSingleton<Reports>();
        services.AddHostedService<NewRootNotice>();
        services.AddSweep<Reports>("reports", TimeSpan.FromHours(1), (reports, ct) => reports.ReapAsync(ct));
    }

    public static void MapSenders(this IEndpointRouteBuilder app)
    {
        var senders = app.MapGroup("/v1/senders").WithTags("Senders").WithRetryAfter().RequireAuthorization();
        senders.MapGet("/certificate", Certificate).RequireLimit(RateLimits.OwnAccount);
        senders.MapPut("/policy", SetPolicy).RequireLimit(RateLimits.OwnAccount);
        senders.MapPost("/tokens", ChangeTokens).RequireLimit(RateLimits.OwnAccount);
        senders.MapPut("/blocks", Block).RequireLimit(RateLimits.OwnAccount);
        senders.MapPost("/reports", Report).RequireLimit(RateLimits.Report);
        app.MapGet("/v1/senders/root", Root).WithTags("Senders").WithRetryAfter().RequireLimit(RateLimits.PublicRead);
    }

    /// <summary><c>GET /v1/senders/certificate</c>: who the calling device is, signed for sealed messages.</summary>
    private static async Task<Results<Ok<DeliveryCertificate>, ProblemHttpResult>> Certificate(
        Caller caller, SenderCertificates certificates, CancellationToken ct) =>
        await certificates.IssueAsync(caller, ct) is { } certificate
            ? TypedResults.Ok(certificate)
            : Problem.From(ProtocolError.Unauthorized);

    /// <summary><c>GET /v1/senders/root</c>: what vouches for the server's certificates, for clients that are not built for one server.</summary>
    private static Ok<SenderRoot> Root(SenderSigner signer) => TypedResults.Ok(new SenderRoot(signer.Root.Serialize()));

    /// <summary><c>PUT /v1/senders/policy</c>: who may send sealed messages to the caller's account. Primary only.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> SetPolicy(
        SendPolicy body, Caller caller, SendPolicies policies, CancellationToken ct)
    {
        if (body.AccessKey is { Length: not SendPolicies.RightBytes })
        {
            return Problem.From(ProtocolError.Malformed);
        }

        if (!caller.IsPrimary)
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        await policies.SetAsync(caller.Account, body.AccessKey, body.Anyone, ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>POST /v1/senders/tokens</c>: gives out or revokes delivery tokens.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> ChangeTokens(
        DeliveryTokens body, Caller caller, SendPolicies policies, CancellationToken ct)
    {
        var (add, remove) = (body.Add ?? [], body.Remove ?? []);
        if (add.Count + remove.Count is 0 or > SendPolicies.MaxEntries
            || add.Concat(remove).Any(token => token.Length != SendPolicies.RightBytes))
        {
            return Problem.From(ProtocolError.Malformed);
        }

        return await policies.ChangeTokensAsync(caller.Account, add, remove, ct)
            ? TypedResults.NoContent()
            : Problem.From(ProtocolError.TooLarge);
    }

    /// <summary><c>PUT /v1/senders/blocks</c>: refuses or admits the messages of an account, from now on.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Block(
        BlockSender body, Caller caller, SendPolicies policies, CancellationToken ct) =>
        await policies.BlockAsync(caller.Account, body.Account, body.Blocked, ct)
            ? TypedResults.NoContent()
            : Problem.From(ProtocolError.TooLarge);

    /// <summary><c>POST /v1/senders/reports</c>: tells the operator about a message that the caller received.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Report(
        ReportMessage body, Caller caller, Reports reports, CancellationToken ct)
    {
        if (body.Evidence is { Length: > Reports.MaxEvidenceBytes })
        {
            return Problem.From(ProtocolError.TooLarge);
        }

        return await reports.AddAsync(caller, body, ct) ? TypedResults.NoContent() : Problem.From(ProtocolError.NotFound);
    }

    /// <summary>Tells the operator that a root key was made here, and that it should not stay.</summary>
    private sealed class NewRootNotice(SenderSigner signer, IHostEnvironment environment) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            if (signer.IsRootNew && environment.IsProduction())
            {
                Terminal.WriteLine($"Sender certificates are signed under a new root: {Convert.ToBase64String(signer.Root.Serialize())}");
                Terminal.WriteLine($"Build clients with it, and move {SenderSigner.RootFileName} out of the data folder to a machine that is off.");
            }

            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
