using SecureChat.Protocol.Senders;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Server.Senders;

/// <summary>Issues the certificates that sealed messages carry inside. Spec: docs/protocol/sealed-sender.md#certificates.</summary>
internal sealed class SenderCertificates(SenderSigner signer, Database db, TimeProvider time)
{
    /// <summary>At most a day, so that a removed device cannot speak for its account for longer.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromHours(24);

    /// <summary>Null: the device is gone.</summary>
    public async Task<DeliveryCertificate?> IssueAsync(Caller caller, CancellationToken ct)
    {
        var identityKey = await db.FirstOrDefaultAsync<byte[]>($"""
            SELECT identity_key FROM accounts WHERE account = {caller.Account}
            """, ct);
        if (identityKey is null)
        {
            return null;
        }

        // Whole hours: the exact expiry would tell the recipient when the sender fetched it.
        var expires = (time.GetUtcNow() + Life).ToUnixTimeSeconds() / 3600 * 3600;
        var certificate = SenderCertificate.Issue(
            ServiceId.OfAccount(caller.Account), caller.Device, PublicKey.Parse(identityKey), (ulong)expires * 1000,
            signer.Certificate, signer.Key, RandomSource.System);
        return new DeliveryCertificate(certificate.Serialize(), expires);
    }
}
