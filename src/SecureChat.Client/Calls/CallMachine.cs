using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Calls;

/// <summary>The calls of one device, one at a time: what happens goes in, what is to be done comes out. Spec: docs/protocol/calls.md#between-two-people.</summary>
/// <remarks>
/// Does no input or output. The application carries out the actions in their order, and calls <see cref="Tick"/> when <see cref="Wait"/>
/// is over. What does not fit the state, comes twice or comes too late gives no actions. Not thread-safe.
/// </remarks>
public sealed partial class CallMachine
{
    /// <summary>How long a call rings.</summary>
    public static readonly TimeSpan RingTime = TimeSpan.FromSeconds(60);

    /// <summary>How long media may take to connect, at first and after it was lost.</summary>
    public static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(30);

    private readonly int _device;
    private readonly TimeProvider _time;
    private readonly Func<byte[]> _newId;
    private readonly EndedCalls _ended;
    private List<CallAction> _actions = [];
    private Call? _call;
    private long _since;
    private TimeSpan? _patience;

    /// <param name="device">The number of the device that this is.</param>
    public CallMachine(int device, TimeProvider time)
        : this(device, time, () => RandomNumberGenerator.GetBytes(IdBytes))
    {
    }

    internal CallMachine(int device, TimeProvider time, Func<byte[]> newId) =>
        (_device, _time, _newId, _ended) = (device, time, newId, new EndedCalls(time));

    /// <summary>
    /// Whether candidates may name this device's addresses in its own network: for a platform that cannot name <c>….local</c> instead, and
    /// a person who has agreed to it. Else such candidates do not leave the device.
    /// </summary>
    public bool ShowsHostAddresses { get; init; }

    public CallState State { get; private set; }

    /// <summary>The account at the other end; null: there is no call.</summary>
    public Guid? Peer => _call?.Account;

    /// <summary>Until <see cref="Tick"/> is due; null: nothing is waited for.</summary>
    public TimeSpan? Wait => _patience is { } patience
        ? TimeSpan.FromTicks(Math.Max(0, (patience - _time.GetElapsedTime(_since)).Ticks))
        : null;

    /// <summary>The person calls somebody. No actions: this device is in a call.</summary>
    /// <param name="isContact">Whether that person may learn this device's address; else relays are used alone.</param>
    public IReadOnlyList<CallAction> Call(Guid account, bool isContact, bool video) => Do(() =>
    {
        if (State is not CallState.Idle)
        {
            return;
        }

        _call = new Call(ByteString.CopyFrom(_newId()), account, isCaller: true) { RelayOnly = !isContact, Video = video };
        Enter(CallState.Calling, RingTime);
        AskForOffer(_call);
    });

    /// <summary>The application made the offer that it was asked for.</summary>
    /// <param name="sdp">As it is before candidates are gathered; it is hardened before it leaves.</param>
    /// <param name="fingerprint">SHA-256 of this device's DTLS certificate.</param>
    /// <exception cref="ArgumentException">The description names another certificate.</exception>
    public IReadOnlyList<CallAction> OfferMade(CallTurn turn, string sdp, byte[] fingerprint) => Do(() =>
    {
        if (_call is not { Awaits: Awaited.Offer } call || call.Turn != turn)
        {
            return;
        }

        var offer = new CallOffer { Revision = call.Revision, Sdp = Own(call, sdp, fingerprint), Fingerprint = ByteString.CopyFrom(fingerprint), Video = call.Video };
        call.Awaits = Awaited.Nothing;
        call.IsKnown = true;
        Send(new CallMessage { Offer = offer });
    });

    /// <summary>The person takes the call.</summary>
    /// <param name="isContact">As in <see cref="Call"/>.</param>
    public IReadOnlyList<CallAction> Accept(bool isContact) => Do(() =>
    {
        if (State is CallState.Ringing)
        {
            Take(_call!, isContact);
        }
    });

    /// <summary>The application applied the offer and made the answer that it was asked for.</summary>
    /// <inheritdoc cref="OfferMade"/>
    public IReadOnlyList<CallAction> AnswerMade(CallTurn turn, string sdp, byte[] fingerprint) => Do(() =>
    {
        if (_call is not { Awaits: Awaited.Answer } call || call.Turn != turn)
        {
            return;
        }

        var answer = new CallAnswer { Revision = call.Revision, Sdp = Own(call, sdp, fingerprint), Fingerprint = ByteString.CopyFrom(fingerprint) };
        call.Awaits = Awaited.Nothing;
        Send(new CallMessage { Answer = answer });
        ExchangeCandidates(call, again: false);
    });

    /// <summary>The person declines a call that rings.</summary>
    public IReadOnlyList<CallAction> Decline() => Do(() =>
    {
        if (State is CallState.Ringing)
        {
            End(CallHangupReason.Declined, isOurs: true);
        }
    });

    /// <summary>The person hangs up, or takes back a call that rings at the other end.</summary>
    public IReadOnlyList<CallAction> HangUp() => Do(() =>
    {
        if (State is not (CallState.Idle or CallState.Ringing))
        {
            End(CallHangupReason.Normal, isOurs: true);
        }
    });

    /// <summary>The connection gathered candidates; one with an empty text ends them.</summary>
    public IReadOnlyList<CallAction> Gathered(IEnumerable<CallCandidate> candidates) => Do(() =>
    {
        _call?.Gather(candidates, ShowsHostAddresses);
        SendCandidates(again: false);
    });

    /// <summary>The device's line was away for a moment: what was ephemeral may be lost.</summary>
    public IReadOnlyList<CallAction> Reconnected() => Do(() =>
    {
        if (State is CallState.Connecting)
        {
            SendCandidates(again: true);
        }
    });

    /// <summary>DTLS is up, at first or again.</summary>
    /// <param name="fingerprint">SHA-256 of the certificate that the other side showed.</param>
    public IReadOnlyList<CallAction> MediaUp(byte[] fingerprint) => Do(() =>
    {
        if (State is not (CallState.Connecting or CallState.Connected) || _call!.TheirFingerprint is not { } expected)
        {
            return;
        }

        if (!CryptographicOperations.FixedTimeEquals(fingerprint, expected))
        {
            End(CallHangupReason.Fingerprint, isOurs: true);
            return;
        }

        if (State is CallState.Connecting)
        {
            _actions.Add(new StartMedia());
        }

        Enter(CallState.Connected, null);
    });

    /// <summary>Media stopped: it is given some time to come back.</summary>
    public IReadOnlyList<CallAction> MediaLost() => Do(() =>
    {
        if (State is CallState.Connected && _patience is null)
        {
            Enter(CallState.Connected, ConnectTime);
        }
    });

    /// <summary>Something is to be agreed anew: a camera, a screen, a way around a broken path.</summary>
    public IReadOnlyList<CallAction> Renegotiate() => Do(() =>
    {
        if (State is CallState.Connecting or CallState.Connected && _call!.IsNegotiated && _call.Revision < MaxRevision)
        {
            _call.Begin(_call.Revision + 1);
            AskForOffer(_call);
        }
    });

    /// <summary>Ends what has taken too long.</summary>
    public IReadOnlyList<CallAction> Tick() => Do(() =>
    {
        if (Wait is not { Ticks: 0 })
        {
            return;
        }

        if (State is CallState.Ringing)
        {
            // The caller says so to everybody, if it still can.
            Miss(_call!);
            Finish(CallHangupReason.NoAnswer, isOurs: false);
        }
        else
        {
            End(State is CallState.Calling ? CallHangupReason.NoAnswer : CallHangupReason.Failed, isOurs: true);
        }
    });

    private List<CallAction> Do(Action step)
    {
        _actions = [];
        step();
        return _actions;
    }

    private void AskForOffer(Call call)
    {
        (call.Awaits, call.IsOffering) = (Awaited.Offer, true);
        _actions.Add(new MakeOffer(call.Turn, call.RelayOnly, call.Video));
    }

    private void AskForAnswer(Call call, string offer, bool rollback)
    {
        (call.Awaits, call.IsOffering) = (Awaited.Answer, false);
        _actions.Add(new MakeAnswer(call.Turn, CallSdp.Harden(offer), call.RelayOnly, rollback));
    }

    private void Take(Call call, bool isContact)
    {
        call.RelayOnly = !isContact;
        Enter(CallState.Connecting, ConnectTime);
        AskForAnswer(call, call.Offer, rollback: false);
    }

    private static string Own(Call call, string sdp, byte[] fingerprint)
    {
        if (!CallSdp.Names(sdp, fingerprint) || !(call.Fingerprint ?? fingerprint).AsSpan().SequenceEqual(fingerprint))
        {
            throw new ArgumentException("A call has one certificate, and its descriptions name that one.", nameof(sdp));
        }

        call.Fingerprint = fingerprint;
        return CallSdp.Harden(sdp);
    }

    // Once both sides know the present revision; before the callee has accepted nothing leaves.
    private void ExchangeCandidates(Call call, bool again)
    {
        if (call.TakeWaiting() is { Count: > 0 } waiting)
        {
            _actions.Add(new AddCandidates(waiting));
        }

        SendCandidates(again);
    }

    private void SendCandidates(bool again)
    {
        if (State is CallState.Connecting or CallState.Connected && _call!.IsNegotiated)
        {
            foreach (var message in _call.TakeGathered(again).ToList())
            {
                Send(message);
            }
        }
    }

    private void Send(CallMessage message) => Send(_call!.Account, _call.Id, message);

    private void Send(Guid account, ByteString call, CallMessage message)
    {
        message.Call = call;
        _actions.Add(new SendCallMessage(account, message));
    }

    private void Miss(Call call) => _actions.Add(new ShowMissed(call.Account, call.Video));

    // Tells the other side, if it can know of the call.
    private void End(CallHangupReason reason, bool isOurs)
    {
        if (_call is { IsCaller: false } or { IsKnown: true })
        {
            Send(new CallMessage { Hangup = new CallHangup { Reason = reason } });
        }

        Finish(reason, isOurs);
    }

    private void Finish(CallHangupReason reason, bool isOurs)
    {
        _ended.Add(_call!.Account, _call.Id);
        _actions.Add(new EndCall(reason, isOurs));
        _call = null;
        Enter(CallState.Idle, null);
    }

    private void Enter(CallState state, TimeSpan? patience) => (State, _since, _patience) = (state, _time.GetTimestamp(), patience);

    private const int IdBytes = 16;
}
