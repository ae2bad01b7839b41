using System.Threading.Channels;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Accounts;

/// <summary>A way to send a code.</summary>
internal interface IOtpProvider
{
    OtpChannel Channel { get; }

    Task SendAsync(OtpMessage message, CancellationToken ct);
}

/// <summary>Prints codes for whoever runs the server on their own machine. Never in Production.</summary>
internal sealed class ConsoleOtp : IOtpProvider
{
    public OtpChannel Channel => OtpChannel.Console;

    public Task SendAsync(OtpMessage message, CancellationToken ct)
    {
        Terminal.WriteLine($"One-time code for challenge {message.Challenge.Challenge}: {message.Code}");
        return Task.CompletedTask;
    }
}

/// <summary>Sends codes behind the request's back, so that its answer takes the same time whatever becomes of the code.</summary>
internal sealed class OtpDelivery(
    IEnumerable<IOtpProvider> providers,
    IOptions<OtpOptions> options,
    IHostEnvironment environment,
    OtpBudget budget,
    TimeProvider time,
    ILogger<OtpDelivery> log) : BackgroundService
{
    private readonly Channel<OtpMessage> _outbox = System.Threading.Channels.Channel.CreateBounded<OtpMessage>(1000);

    /// <summary>Whether this server sends codes to that kind of identifier at all.</summary>
    public bool Supports(IdentifierKind kind) => ProviderFor(kind) is not null;

    /// <summary>False when too many codes wait to be sent.</summary>
    public bool TryEnqueue(OtpMessage message) => _outbox.Writer.TryWrite(message);

    protected override Task ExecuteAsync(CancellationToken ct) =>
        Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => SendAllAsync(ct)));

    private async Task SendAllAsync(CancellationToken ct)
    {
        await foreach (var message in _outbox.Reader.ReadAllAsync(ct))
        {
            try
            {
                if (!await budget.SpendAsync(message.To, ct))
                {
                    continue;
                }

                using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
                using var timer = time.CreateTimer(
                    source => ((CancellationTokenSource)source!).Cancel(), deadline, SendTimeout, Timeout.InfiniteTimeSpan);
                await ProviderFor(message.To.Kind)!.SendAsync(message, deadline.Token);
            }
            catch (Exception e) when (e is not OperationCanceledException || !ct.IsCancellationRequested)
            {
                // Only the type: a mail server's message may quote the address.
                log.OtpNotSent(e.GetType().Name);
            }
        }
    }

    private IOtpProvider? ProviderFor(IdentifierKind kind)
    {
        var channel = options.Value.ChannelFor(kind, environment);
        return providers.FirstOrDefault(provider => provider.Channel == channel);
    }

    private const int Senders = 4;
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(20);
}
