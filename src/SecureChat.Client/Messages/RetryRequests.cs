using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Retries;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Client.Messages;

/// <summary>"Send that again": what a device asks when it cannot read a message. Spec: docs/protocol/retries.md.</summary>
/// <remarks>To contacts alone: an answer to a stranger would tell that the device is on.</remarks>
internal sealed class RetryRequests(Device device, Delivery delivery)
{
    /// <summary>Requests that wait to be sent; more are not asked.</summary>
    private const int MaxWaiting = 100;

    /// <summary>Keeps a request, to be sent when the transaction is done.</summary>
    public async Task AskAsync(StoreTransaction rows, Opened opened, ulong timestamp, CancellationToken ct)
    {
        var contact = await Contacts.FindAsync(rows, opened.Sender, ct);
        if (contact is not { Accepted: true } || opened.Hint == ContentHint.Implicit)
        {
            return;
        }

        byte[] request;
        try
        {
            request = PlaintextContent.Serialize(
                DecryptionErrorMessage.ForOriginal(opened.Message.Span, opened.Type, timestamp, opened.Device));
        }
        catch (SignalException)
        {
            // Not even a message: nobody who keeps to the protocol sent it.
            return;
        }

        if ((await rows.ListAsync(Tables.RetryRequests, ct)).Count < MaxWaiting)
        {
            rows.Put(Tables.RetryRequests, $"{Tables.Hex(contact.Account)}/{timestamp}", new RetryRecord
            {
                Account = contact.Account,
                Timestamp = timestamp,
                Request = ByteString.CopyFrom(request),
            });
            rows.Afterwards(device.Wake);
        }
    }

    /// <summary>Sends what waits; each once, because the sender sends again by itself in the end.</summary>
    /// <returns>Null: nothing waits any more.</returns>
    public async Task<DateTimeOffset?> RunAsync(CancellationToken ct)
    {
        foreach (var (name, record) in await device.Turns.RunAsync(async rows => await rows.ListAsync(Tables.RetryRequests, ct), ct))
        {
            var content = new Content { Timestamp = device.Now.Milliseconds() };
            await delivery.HandAsync(record.Account.ToGuid(), content, new Handing(Request: record.Request), ct);
            await device.Turns.RunAsync(
                rows =>
                {
                    rows.Remove(Tables.RetryRequests, name);
                    return Task.CompletedTask;
                },
                ct);
        }

        return null;
    }
}
