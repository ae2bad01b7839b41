using System.Text;
using Microsoft.Extensions.Options;
using SecureChat.Server.Abuse;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>The fuse against somebody who runs up a bill: how many codes may be sent in a day, in all and to one range of numbers.</summary>
/// <remarks>
/// <para>Spec: docs/protocol/abuse.md#codes. Without the hot store no code is sent: behind this is money.</para>
/// <para>
/// Keys in the hot store: <c>otp-budget:all</c>, and <c>otp-budget:h</c> with a hash of the range under the hour's key. A bucket of half the budget that
/// refills by the other half in a day: no 24 hours ever see more than the budget.
/// </para>
/// </remarks>
internal sealed class OtpBudget(IHotStore hot, HourlyNames names, IOptions<OtpOptions> options, TimeProvider time, ILogger<OtpBudget> log)
{
    private long _lastTold;

    /// <summary>What is left for a code to this identifier; takes nothing. One round trip.</summary>
    public async Task<Funds> LookAsync(Identifier identifier, CancellationToken ct)
    {
        var range = TakeRangeAsync(identifier, 0, ct);
        var all = await TakeAsync(HotKeys.OtpBudget + ":all", [], options.Value.MaxPerDay, 0, ct);
        return Worse(FundsOf(all, options.Value.MaxPerDay), FundsOf(await range, options.Value.MaxPerRangePerDay));
    }

    /// <summary>Takes one code from both budgets; false: one of them is used up, and the operator is told.</summary>
    public async Task<bool> SpendAsync(Identifier identifier, CancellationToken ct)
    {
        var range = TakeRangeAsync(identifier, 1, ct);
        var all = await TakeAsync(HotKeys.OtpBudget + ":all", [], options.Value.MaxPerDay, 1, ct);
        var spent = all.Wait == TimeSpan.Zero && (await range).Wait == TimeSpan.Zero;
        if (!spent)
        {
            Tell();
        }

        return spent;
    }

    /// <summary>Says in the log that codes are refused; once a minute, however many are.</summary>
    public void Tell()
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        if (now - Interlocked.Read(ref _lastTold) >= 60)
        {
            Interlocked.Exchange(ref _lastTold, now);
            log.CodeBudgetSpent();
        }
    }

    private Task<TokensTaken> TakeRangeAsync(Identifier identifier, double amount, CancellationToken ct)
    {
        if (identifier.Range is not { } range)
        {
            return Task.FromResult(new TokensTaken(TimeSpan.Zero, options.Value.MaxPerRangePerDay));
        }

        var (name, before) = names.Of(HotKeys.OtpBudget + ":", Encoding.ASCII.GetBytes(range), TimeSpan.FromDays(1));
        return TakeAsync(name, before, options.Value.MaxPerRangePerDay, amount, ct);
    }

    private Task<TokensTaken> TakeAsync(string key, string[] before, int perDay, double amount, CancellationToken ct) =>
        hot.TakeTokensAsync(key, before, new TokenBucket(perDay / 2.0, TimeSpan.FromDays(1) / (perDay / 2.0)), amount, ct);

    // Half of what is there at once: from then on every code takes work.
    private static Funds FundsOf(TokensTaken bucket, int perDay) =>
        bucket.Left < 1 ? Funds.Spent : bucket.Left < perDay / 4.0 ? Funds.Low : Funds.Ample;

    private static Funds Worse(Funds one, Funds other) => one > other ? one : other;
}

/// <summary>How much of a budget is left.</summary>
internal enum Funds
{
    Ample,

    /// <summary>Every further code takes a proof of work.</summary>
    Low,

    /// <summary>No code is sent.</summary>
    Spent,
}
