using System.Security.Cryptography;
using SecureChat.Protocol.Senders;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Senders;

/// <summary>What recipients reported about messages, for the operator. Spec: docs/protocol/sealed-sender.md#reports.</summary>
internal sealed class Reports(Database db, ReportTokens tokens, TimeProvider time)
{
    /// <summary>Bytes of evidence.</summary>
    public const int MaxEvidenceBytes = 64 * 1024;

    private const int KeptDays = 30;

    /// <summary>False: no such message was relayed to the reporter's account. A second report of one message changes nothing.</summary>
    public async Task<bool> AddAsync(Caller reporter, ReportMessage report, CancellationToken ct)
    {
        var id = report.Id.ToByteArray(bigEndian: true);
        if (!tokens.IsGood(report.Token, id, reporter.Account, report.Sender))
        {
            return false;
        }

        var name = SHA256.HashData([.. reporter.Account.ToByteArray(bigEndian: true), .. id]);
        var sender = report.Sender is { } account
            ? await db.FirstOrDefaultAsync<Guid?>($"SELECT account FROM accounts WHERE account = {account}", ct)
            : null;
        await db.ExecuteAsync($"""
            INSERT INTO reports (report, account, reported_day, evidence)
            VALUES ({name}, {sender}, {Days.Since1970(time.GetUtcNow())}, {report.Evidence})
            ON CONFLICT (report) DO NOTHING
            """, ct);
        return true;
    }

    public Task<List<ReportRow>> ListAsync(CancellationToken ct) =>
        db.QueryAsync<ReportRow>($"SELECT account, reported_day, evidence FROM reports ORDER BY reported_day, report", ct);

    public Task<int> ReapAsync(CancellationToken ct) =>
        db.ExecuteAsync($"DELETE FROM reports WHERE reported_day < {Days.Since1970(time.GetUtcNow()) - KeptDays}", ct);
}

/// <summary>One report as the operator sees it; who reported is not kept.</summary>
internal sealed record ReportRow
{
    public Guid? Account { get; init; }

    public long ReportedDay { get; init; }

    public byte[]? Evidence { get; init; }
}
