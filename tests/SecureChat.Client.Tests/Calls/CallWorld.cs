using System.Security.Cryptography;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Client.Calls;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Calls;

/// <summary>Devices that call each other over a network of the test's own; media connects when both sides are ready.</summary>
internal sealed class CallWorld
{
    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));

    public List<CallDevice> Devices { get; } = [];

    /// <summary>What is on its way, in the order in which it was sent.</summary>
    public List<Letter> Mail { get; } = [];

    public CallDevice Add(Guid account, int number, byte id = 0)
    {
        var device = new CallDevice(this, account, number, id);
        Devices.Add(device);
        return device;
    }

    /// <summary>Delivers everything, in order, also what that leads to.</summary>
    public void DeliverAll()
    {
        while (Mail.Count > 0)
        {
            Deliver(0);
        }
    }

    public void Deliver(int index, bool again = false)
    {
        var letter = Mail[index];
        if (!again)
        {
            Mail.RemoveAt(index);
        }

        letter.To.Receive(letter);
    }

    /// <summary>Whoever is ready connects, as WebRTC would.</summary>
    public void ConnectMedia()
    {
        foreach (var one in Devices.Where(one => one.Machine.State is CallState.Connecting))
        {
            if (Devices.FirstOrDefault(other => other.Account == one.Machine.Peer && other.Machine.Peer == one.Account
                && other.Call == one.Call && other.Applied == one.Number && one.Applied == other.Number
                && other.Machine.State is CallState.Connecting or CallState.Connected) is { } other)
            {
                one.Do(one.Machine.MediaUp(other.Fingerprint));
                other.Do(other.Machine.MediaUp(one.Fingerprint));
            }
        }
    }

    public void Pass(TimeSpan time)
    {
        Clock.Advance(time);
        foreach (var device in Devices)
        {
            device.Do(device.Machine.Tick());
        }
    }
}

/// <summary>A message on its way to one device.</summary>
internal sealed record Letter(CallDevice From, CallDevice To, CallMessage Message, CallDelivery Delivery);

/// <summary>A device with a connection that is no more than its descriptions.</summary>
internal sealed class CallDevice
{
    private readonly CallWorld _world;

    public CallDevice(CallWorld world, Guid account, int number, byte id)
    {
        (_world, Account, Number) = (world, account, number);
        Machine = new CallMachine(number, world.Clock, () => NewId(id));
    }

    public CallMachine Machine { get; }

    public Guid Account { get; }

    public int Number { get; }

    /// <summary>SHA-256 of the certificate that this device has.</summary>
    public byte[] Fingerprint { get; } = RandomNumberGenerator.GetBytes(32);

    /// <summary>Whether those who call are contacts.</summary>
    public bool KnowsCallers { get; set; } = true;

    public List<CallAction> Done { get; } = [];

    public List<CallMessage> Sent => [.. Done.OfType<SendCallMessage>().Select(action => action.Message)];

    /// <summary>The call that its descriptions belong to.</summary>
    public string? Call { get; private set; }

    /// <summary>The device whose description was applied last.</summary>
    public int Applied { get; private set; }

    public bool IsRinging { get; private set; }

    public bool HasMedia { get; private set; }

    public CallHangupReason? End => Done.OfType<EndCall>().LastOrDefault()?.Reason;

    public int Missed => Done.OfType<ShowMissed>().Count();

    /// <summary>Whether the application makes descriptions at once, or later, by <see cref="FinishDescriptions"/>.</summary>
    public bool IsSlow { get; set; }

    private List<CallAction> Unfinished { get; } = [];

    public void Start(Guid account, bool isContact = true, bool video = false) => Do(Machine.Call(account, isContact, video));

    public void Receive(Letter letter) =>
        Do(Machine.Received(letter.From.Account, letter.From.Number, KnowsCallers, CallMessage.Parser.ParseFrom(Google.Protobuf.MessageExtensions.ToByteArray(letter.Message))));

    public void FinishDescriptions()
    {
        var unfinished = Unfinished.ToList();
        Unfinished.Clear();
        unfinished.ForEach(Describe);
    }

    public void Do(IReadOnlyList<CallAction> actions)
    {
        foreach (var action in actions.ToList())
        {
            Done.Add(action);
            switch (action)
            {
                case SendCallMessage send:
                    _world.Mail.AddRange(_world.Devices.Where(to => to.Account == send.Account)
                        .Select(to => new Letter(this, to, send.Message, send.Delivery)));
                    break;
                case MakeOffer or MakeAnswer when IsSlow:
                    Unfinished.Add(action);
                    break;
                case MakeOffer or MakeAnswer:
                    Describe(action);
                    break;
                case ApplyAnswer apply:
                    Applied = AuthorOf(apply.Answer);
                    break;
                case Ring:
                    IsRinging = true;
                    break;
                case StartMedia:
                    HasMedia = true;
                    break;
                case EndCall:
                    (IsRinging, HasMedia, Call, Applied) = (false, false, null, 0);
                    break;
            }
        }
    }

    /// <summary>As a browser writes it, with who wrote it.</summary>
    public string Sdp() =>
        $"v=0\r\no=- {Number} 1 IN IP4 127.0.0.1\r\na=fingerprint:sha-256 {Colons(Fingerprint)}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n";

    public static string Colons(byte[] bytes) => string.Join(':', bytes.Select(one => one.ToString("X2", System.Globalization.CultureInfo.InvariantCulture)));

    private void Describe(CallAction action)
    {
        if (action is MakeOffer offer)
        {
            Call = offer.Turn.Call.ToBase64();
            Do(Machine.OfferMade(offer.Turn, Sdp(), Fingerprint));
        }
        else if (action is MakeAnswer answer)
        {
            (IsRinging, Call, Applied) = (false, answer.Turn.Call.ToBase64(), AuthorOf(answer.Offer));
            Do(Machine.AnswerMade(answer.Turn, Sdp(), Fingerprint));
        }
    }

    private static int AuthorOf(string sdp) =>
        int.Parse(sdp.Split('\n')[1].Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);

    // The first byte decides who wins when both call.
    private static byte[] NewId(byte first)
    {
        var id = RandomNumberGenerator.GetBytes(16);
        id[0] = first;
        return id;
    }
}
