using SecureChat.Protocol;
using SecureChat.Protocol.Messages;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Senders;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Messages;

/// <summary>Takes messages from senders: checks all of a message before any of it is stored. Spec: docs/protocol/messages.md#sending.</summary>
internal sealed class Relay(
    Mailbox mailbox, AccountDirectory directory, SendPolicies policies, RateLimiter limiter, OneMoment oneMoment, Anomalies anomalies,
    MessageMetrics metrics, TimeProvider time)
{
    /// <summary>Checks a message and begins to store it. Two calls made one after the other keep their order.</summary>
    /// <param name="allowance">What the sender has in hand of its rate limit.</param>
    public async ValueTask<Submission> SubmitAsync(Caller sender, Outgoing message, SendAllowance allowance, CancellationToken ct)
    {
        var cost = message.Recipients.Count * (message.OpensSessions ? Observe(sender, message) : 1);
        var wait = await allowance.TakeAsync(limiter, sender, cost, ct);
        if (wait > TimeSpan.Zero)
        {
            return new Submission(ProtocolError.RateLimited) { RetryAfter = wait };
        }

        var began = oneMoment.Begin();
        var isBlocked = false;
        foreach (var recipient in message.Recipients)
        {
            isBlocked |= await policies.BlocksAsync(recipient.Account, sender.Account, ct);
        }

        // As if the account were not there, in time too.
        var submission = isBlocked ? new Submission(ProtocolError.NotFound) : await SubmitAsync(sender, message, ct);
        if (submission.Refusal == ProtocolError.NotFound)
        {
            await oneMoment.ComesAsync(began, message.Recipients.Count, ct);
        }

        return submission;
    }

    /// <summary>What the sender has coming for writing to many strangers; whoever wrote first to few has nothing.</summary>
    /// <remarks>Ordinary messages in sessions that there are already are never looked at.</remarks>
    public Verdict Judge(Caller sender, Outgoing message) =>
        message.OpensSessions ? anomalies.Judge(Detectors.FanOut, sender.Account.ToByteArray(bigEndian: true)) : default;

    /// <summary>The same for a message whose right to be sent was checked already.</summary>
    /// <param name="sender">Null: nobody says who sent it.</param>
    public async ValueTask<Submission> SubmitAsync(Caller? sender, Outgoing message, CancellationToken ct)
    {
        var life = message.ExpiresIn == 0 ? mailbox.Life : TimeSpan.FromSeconds(message.ExpiresIn);
        if (life > mailbox.Life)
        {
            return new Submission(ProtocolError.Malformed);
        }

        if (await CheckDevicesAsync(sender, message, ct) is { } refusal)
        {
            return refusal;
        }

        var started = time.GetTimestamp();
        return message.Ephemeral
            ? new Submission(PostLiveAsync(message, ct))
            : new Submission(StoreAsync(message, time.GetUtcNow() + life, started, ct));
    }

    // Counted before it is known whether the recipients exist. Returns what each of them costs.
    private int Observe(Caller sender, Outgoing message)
    {
        var account = sender.Account.ToByteArray(bigEndian: true);
        var isSlowed = anomalies.Judge(Detectors.FanOut, account).Grade is Grade.Slow;
        foreach (var recipient in message.Recipients)
        {
            if (recipient.OpensSession && recipient.Account != sender.Account)
            {
                anomalies.Observe(Detectors.FanOut, account, recipient.Account);
            }
        }

        if (isSlowed)
        {
            anomalies.Metrics.Acted(Detectors.FanOut.Name, "slowed");
        }

        return isSlowed ? Doorkeeper.SlowCost : 1;
    }

    private static RecipientMismatch? Compare(
        Outgoing.Recipient recipient, IReadOnlyList<DirectoryDevice> devices, int except)
    {
        List<int>? missing = null, extra = null, stale = null;
        var matched = 0;
        foreach (var item in recipient.Items)
        {
            if (Find(devices, item.Device, except) is not { } device)
            {
                (extra ??= []).Add(item.Device);
                continue;
            }

            matched++;
            if (device.RegistrationId != item.RegistrationId)
            {
                (stale ??= []).Add(item.Device);
            }
        }

        if (matched != devices.Count - (Find(devices, except, 0) is null ? 0 : 1))
        {
            foreach (var device in devices)
            {
                if (device.Device != except && !recipient.Items.Any(item => item.Device == device.Device))
                {
                    (missing ??= []).Add(device.Device);
                }
            }
        }

        return missing is null && extra is null && stale is null
            ? null
            : new RecipientMismatch(recipient.Account, missing ?? [], extra ?? [], stale ?? []);
    }

    private static DirectoryDevice? Find(IReadOnlyList<DirectoryDevice> devices, int id, int except)
    {
        for (var i = 0; i < devices.Count; i++)
        {
            if (devices[i].Device == id && id != except)
            {
                return devices[i];
            }
        }

        return null;
    }

    private async ValueTask<Submission?> CheckDevicesAsync(Caller? sender, Outgoing message, CancellationToken ct)
    {
        List<RecipientMismatch>? mismatches = null;
        foreach (var recipient in message.Recipients)
        {
            var devices = await directory.DevicesAsync(recipient.Account, ct);
            if (devices.Count == 0)
            {
                return new Submission(ProtocolError.NotFound);
            }

            // A message to oneself goes to all devices but the one that sends.
            if (Compare(recipient, devices, recipient.Account == sender?.Account ? sender.Device : 0) is { } mismatch)
            {
                (mismatches ??= []).Add(mismatch);
            }
        }

        if (mismatches is null)
        {
            return null;
        }

        var wrongSet = mismatches.Exists(mismatch => mismatch.Missing.Count + mismatch.Extra.Count > 0);
        return new Submission(wrongSet ? ProtocolError.MismatchedDevices : ProtocolError.StaleDevices) { Mismatches = mismatches };
    }

    // Every append begins before the first is awaited, so that the caller may rely on the order.
    private async Task<bool> StoreAsync(Outgoing message, DateTimeOffset deadline, long started, CancellationToken ct)
    {
        var stored = true;
        SharedBody? shared = null;
        if (message.SharedEnd is { } end)
        {
            shared = new SharedBody(end, message.Recipients.Sum(recipient => recipient.Items.Count));
            await mailbox.ShareAsync(shared, deadline, ct);
        }

        if (message.Recipients is [var only])
        {
            stored = await mailbox.PostAsync(MailOf(only, message, deadline, shared), ct);
        }
        else
        {
            var results = new Task<bool>[message.Recipients.Count];
            for (var i = 0; i < results.Length; i++)
            {
                results[i] = mailbox.PostAsync(MailOf(message.Recipients[i], message, deadline, shared), ct);
            }

            foreach (var result in await Task.WhenAll(results))
            {
                stored &= result;
            }
        }

        if (stored)
        {
            metrics.Accepted(time.GetElapsedTime(started));
        }

        return stored;
    }

    private static Mail[] MailOf(Outgoing.Recipient recipient, Outgoing message, DateTimeOffset deadline, SharedBody? shared)
    {
        var mail = new Mail[recipient.Items.Count];
        for (var i = 0; i < mail.Length; i++)
        {
            var item = recipient.Items[i];

            mail[i] = new Mail(
                new DeviceAddress(recipient.Account, item.Device), message.OnceFor(recipient.Account, item), deadline, item.Envelope,
                message.Urgent, shared);
        }

        return mail;
    }

    private async Task<bool> PostLiveAsync(Outgoing message, CancellationToken ct)
    {
        foreach (var recipient in message.Recipients)
        {
            foreach (var item in recipient.Items)
            {
                var envelope = message.SharedEnd is { } end ? SharedBody.Join(item.Envelope, end) : item.Envelope;
                await mailbox.PostLiveAsync(new DeviceAddress(recipient.Account, item.Device), envelope, ct);
            }
        }

        return true;
    }
}
