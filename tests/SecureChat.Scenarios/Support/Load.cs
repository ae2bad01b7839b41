using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Protocol.Proto;

namespace SecureChat.Scenarios.Support;

/// <summary>Messages in great number: who sent what, what the server accepted, and what arrived where.</summary>
/// <remarks>The content is random bytes: to the server that is the same as ciphertext.</remarks>
internal sealed class Load(IReadOnlyList<Device> senders, IReadOnlyList<Device> recipients)
{
    private const int InFlightPerSender = 16;
    private const int ContentBytes = 512;
    private const int AcksPerConfirmation = 16;
    private readonly ConcurrentDictionary<Guid, (Device From, Device To)> _accepted = new();
    private readonly ConcurrentDictionary<Device, ConcurrentQueue<Guid>> _arrived = new();
    private readonly ConcurrentDictionary<Device, ConcurrentQueue<Guid>> _confirmed = new();
    private int _next;

    /// <summary>Every message that a sender was told is kept.</summary>
    public IReadOnlyDictionary<Guid, (Device From, Device To)> Accepted => _accepted;

    /// <summary>How often a sender was told to repeat, or lost its connection.</summary>
    public int Setbacks { get; private set; }

    /// <summary>Message ids in the order in which a device took them in, repetitions included.</summary>
    public IReadOnlyCollection<Guid> ArrivedAt(Device device) => _arrived.GetOrAdd(device, _ => []);

    /// <summary>Messages that the server told an awake device it has deleted, after the device's acknowledgement.</summary>
    public IReadOnlyCollection<Guid> ConfirmedBy(Device device) => _confirmed.GetOrAdd(device, _ => []);

    /// <summary>Sends without pause until <paramref name="stop"/>, or until the connections are gone.</summary>
    public Task SendAsync(CancellationToken stop) => Task.WhenAll(
        senders.SelectMany(sender => Enumerable.Range(0, InFlightPerSender).Select(_ => SendOneByOneAsync(sender, stop))));

    /// <summary>Waits until so many messages were accepted.</summary>
    public async Task UntilAcceptedAsync(int count, Task sending, CancellationToken ct)
    {
        while (_accepted.Count < count)
        {
            if (sending.IsCompleted)
            {
                await sending;
                throw new InvalidOperationException($"The senders stopped after {_accepted.Count} accepted messages.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, ct);
        }
    }

    /// <summary>Takes in and acknowledges whatever arrives until the connection ends.</summary>
    public async Task ReceiveAsync(Device device)
    {
        var socket = device.Socket;
        var unconfirmed = new List<Deliver>();
        await foreach (var delivered in socket.Delivered.ReadAllAsync())
        {
            try
            {
                await TakeInAsync(device, delivered);
                unconfirmed.Add(delivered);
                if (unconfirmed.Count == AcksPerConfirmation)
                {
                    await ConfirmAsync(device, socket, unconfirmed);
                    unconfirmed.Clear();
                }
            }
            catch (Exception e) when (e is WebSocketException or InvalidOperationException or ObjectDisposedException)
            {
                // The connection broke; what was not acknowledged comes again.
            }
        }
    }

    /// <summary>Connects, takes the whole backlog in, and disconnects.</summary>
    public async Task DrainAsync(Device device, CancellationToken ct)
    {
        await device.DisconnectAsync();
        await device.ConnectAsync(ct);
        var socket = device.Socket;
        for (var isEmpty = false; !isEmpty;)
        {
            // In this order: what the server sent before "queue empty" can be read once that has been seen.
            isEmpty = socket.QueueEmpty.IsCompleted;
            while (socket.Delivered.TryRead(out var delivered))
            {
                await TakeInAsync(device, delivered);
            }

            if (!isEmpty)
            {
                await Task.WhenAny(socket.QueueEmpty, socket.Delivered.WaitToReadAsync(ct).AsTask());
            }
        }

        await socket.QueueEmpty;
        await socket.ConfirmAcksAsync(ct);
        await device.DisconnectAsync();
    }

    /// <summary>Sends accepted messages to some a second time, as a client does that did not see the answer.</summary>
    public async Task RepeatAsync(IReadOnlyList<Device> recipients, int count, CancellationToken ct)
    {
        foreach (var (id, (from, to)) in _accepted.Where(message => recipients.Contains(message.Value.To)).Take(count))
        {
            await from.Socket.AskAsync(Frame(id, to), ct);
        }
    }

    private Task TakeInAsync(Device device, Deliver delivered)
    {
        if (delivered.Envelope.Type is not ContentType.Event)
        {
            _arrived.GetOrAdd(device, _ => []).Enqueue(Device.ReadGuid(delivered.Envelope.Id));
        }

        return device.Socket.AckAsync([delivered.Position], CancellationToken.None);
    }

    /// <summary>Acknowledges a second time, which is harmless, and takes the server's word for it.</summary>
    private async Task ConfirmAsync(Device device, ChatSocket socket, IReadOnlyList<Deliver> taken)
    {
        var ack = new ClientFrame { Ack = new Ack { Positions = { taken.Select(delivered => delivered.Position) } } };
        if ((await socket.AskAsync(ack, CancellationToken.None)).BodyCase is ServerFrame.BodyOneofCase.Accepted)
        {
            foreach (var delivered in taken)
            {
                _confirmed.GetOrAdd(device, _ => []).Enqueue(Device.ReadGuid(delivered.Envelope.Id));
            }
        }
    }

    private async Task SendOneByOneAsync(Device sender, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var recipient = recipients[(int)((uint)Interlocked.Increment(ref _next) % recipients.Count)];
            var id = new Guid(RandomNumberGenerator.GetBytes(16));
            try
            {
                while (!await TrySendAsync(sender, id, recipient))
                {
                    Setbacks++;
                    await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, stop);
                }
            }
            catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task<bool> TrySendAsync(Device sender, Guid id, Device recipient)
    {
        var answer = await sender.Socket.AskAsync(Frame(id, recipient), CancellationToken.None);
        if (answer.BodyCase is ServerFrame.BodyOneofCase.Accepted)
        {
            _accepted[id] = (sender, recipient);
            return true;
        }

        return answer.Problem.Status is 503 or 507
            ? false
            : throw new InvalidOperationException($"A message was refused: {answer.Problem.Code}.");
    }

    private static ClientFrame Frame(Guid id, Device recipient)
    {
        var to = new Recipient { Account = Device.Bytes(recipient.Owner.Account) };
        to.Devices.Add(new DeviceContent
        {
            Device = (uint)recipient.Id,
            RegistrationId = (uint)recipient.Party.RegistrationId,
            Type = ContentType.Whisper,
            Content = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(ContentBytes)),
        });
        return new ClientFrame { Send = new Send { Id = Device.Bytes(id), Recipients = { to } } };
    }
}
