using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Calls;

// What comes from the other side.
public sealed partial class CallMachine
{
    /// <summary>A message of a call, as it was decrypted.</summary>
    /// <param name="account">Who sent it, authenticated by the session or the sealed sender's certificate.</param>
    /// <param name="device">Which of that account's devices.</param>
    /// <param name="isContact">Whether the person has written to that account or accepted it: nobody else is told that this device is on.</param>
    public IReadOnlyList<CallAction> Received(Guid account, int device, bool isContact, CallMessage message) => Do(() =>
    {
        ArgumentNullException.ThrowIfNull(message);
        if (!IsWellFormed(message))
        {
            return;
        }

        if (_ended.Contains(account, message.Call))
        {
            if (message.BodyCase is CallMessage.BodyOneofCase.Offer && _ended.TakeMissed(account, message.Call))
            {
                _actions.Add(new ShowMissed(account, message.Offer.Video));
            }
        }
        else if (_call is { } call && call.Account == account && call.Id == message.Call)
        {
            OnMessage(call, device, message);
        }
        else if (message.BodyCase is CallMessage.BodyOneofCase.Offer && message.Offer.Revision is 0)
        {
            OnNewOffer(account, device, isContact, message);
        }
        else if (message.BodyCase is CallMessage.BodyOneofCase.Hangup)
        {
            _ended.Add(account, message.Call, message.Hangup.Reason);
        }
    });

    private static bool IsWellFormed(CallMessage message) => message.Call.Length is IdBytes && message.BodyCase switch
    {
        CallMessage.BodyOneofCase.Offer => IsDescription(message.Offer.Sdp, message.Offer.Fingerprint),
        CallMessage.BodyOneofCase.Answer => IsDescription(message.Answer.Sdp, message.Answer.Fingerprint),
        CallMessage.BodyOneofCase.Candidates => message.Candidates.Candidates.Count is > 0 and <= Limits.MaxCandidates
            && message.Candidates.Candidates.All(one => Encoding.UTF8.GetByteCount(one.Candidate) <= Limits.MaxCandidateBytes && one.Mid.Length <= MaxMid),
        CallMessage.BodyOneofCase.None => false,
        _ => true,
    };

    private static bool IsDescription(string sdp, ByteString fingerprint) =>
        sdp.Length > 0 && Encoding.UTF8.GetByteCount(sdp) <= Limits.MaxSdpBytes && fingerprint.Length is CallSdp.FingerprintBytes;

    private void OnNewOffer(Guid account, int device, bool isContact, CallMessage message)
    {
        var offer = message.Offer;
        if (CallSdp.HasCandidates(offer.Sdp) || !CallSdp.Names(offer.Sdp, offer.Fingerprint.Span))
        {
            return;
        }

        var call = new Call(message.Call, account, isCaller: false)
        {
            Device = device,
            Video = offer.Video,
            Offer = offer.Sdp,
            TheirFingerprint = offer.Fingerprint.ToByteArray(),
        };
        if (State is CallState.Calling && _call!.Account == account)
        {
            OnGlare(call);
        }
        else if (State is CallState.Idle)
        {
            _call = call;
            Enter(CallState.Ringing, RingTime);
            if (isContact)
            {
                Send(new CallMessage { Ringing = new CallRinging() });
            }

            _actions.Add(new Ring(account, call.Video));
        }
        else
        {
            _ended.Add(account, call.Id);
            if (isContact)
            {
                Send(account, call.Id, new CallMessage { Busy = new CallBusy() });
            }

            Miss(call);
        }
    }

    // Both call each other: the lower call stands, and the person who wanted to talk is not asked.
    private void OnGlare(Call theirs)
    {
        var mine = _call!;
        if (mine.IsKnown && mine.Id.Span.SequenceCompareTo(theirs.Id.Span) < 0)
        {
            _ended.Add(theirs.Account, theirs.Id);
            return;
        }

        End(CallHangupReason.Glare, isOurs: true);
        theirs.Video |= mine.Video;
        _call = theirs;
        Take(theirs, isContact: !mine.RelayOnly);
    }

    private void OnMessage(Call call, int device, CallMessage message)
    {
        var isPeer = device == call.Device;
        switch (message.BodyCase)
        {
            case CallMessage.BodyOneofCase.Ringing when State is CallState.Calling && !call.IsRinging:
                call.IsRinging = true;
                _actions.Add(new ShowRinging());
                break;
            case CallMessage.BodyOneofCase.Busy when State is CallState.Calling:
                End(CallHangupReason.Busy, isOurs: false);
                break;
            case CallMessage.BodyOneofCase.Hangup when isPeer || State is CallState.Calling:
                OnHangup(call, message.Hangup);
                break;
            case CallMessage.BodyOneofCase.Answer when isPeer || State is CallState.Calling:
                OnAnswer(call, device, message.Answer);
                break;
            case CallMessage.BodyOneofCase.Offer when isPeer && State is (CallState.Connecting or CallState.Connected):
                OnLaterOffer(call, message.Offer);
                break;
            case CallMessage.BodyOneofCase.Candidates when State is CallState.Calling || (isPeer && State is not CallState.Ringing):
                call.Wait(device, message.Candidates);
                if (State is not CallState.Calling && call.IsNegotiated)
                {
                    ExchangeCandidates(call, again: false);
                }

                break;
        }
    }

    private void OnHangup(Call call, CallHangup hangup)
    {
        if (call.IsCaller)
        {
            // Only a caller tells the devices of a callee what became of its call.
            if (hangup.Reason is CallHangupReason.Normal or CallHangupReason.Declined or CallHangupReason.Failed or CallHangupReason.Fingerprint)
            {
                OnCalleeHangup(hangup.Reason);
            }

            return;
        }

        if (hangup.Reason is CallHangupReason.AcceptedElsewhere && hangup.Device == _device)
        {
            return;
        }

        if (State is CallState.Ringing && EndedCalls.IsMissed(hangup.Reason))
        {
            Miss(call);
        }

        Finish(hangup.Reason, isOurs: false);
    }

    // While several devices ring, the others must hear of it.
    private void OnCalleeHangup(CallHangupReason reason)
    {
        if (State is CallState.Calling)
        {
            End(reason is CallHangupReason.Normal ? CallHangupReason.Declined : reason, isOurs: false);
        }
        else
        {
            Finish(reason, isOurs: false);
        }
    }

    private void OnAnswer(Call call, int device, CallAnswer answer)
    {
        if (!call.IsOffering || call.Awaits is not Awaited.Nothing || answer.Revision != call.Revision)
        {
            return;
        }

        if (!IsTheirs(call, answer.Sdp, answer.Fingerprint))
        {
            End(CallHangupReason.Fingerprint, isOurs: true);
            return;
        }

        call.IsOffering = false;
        if (State is CallState.Calling)
        {
            (call.Device, call.TheirFingerprint) = (device, answer.Fingerprint.ToByteArray());
            Enter(CallState.Connecting, ConnectTime);
            var hangup = new CallHangup { Reason = CallHangupReason.AcceptedElsewhere, Device = (uint)device };
            Send(new CallMessage { Hangup = hangup });
        }

        _actions.Add(new ApplyAnswer(CallSdp.Harden(answer.Sdp)));
        ExchangeCandidates(call, again: false);
    }

    private void OnLaterOffer(Call call, CallOffer offer)
    {
        var collides = call.IsOffering && offer.Revision == call.Revision;
        if (offer.Revision < call.Revision || (offer.Revision == call.Revision && !collides) || (collides && call.IsCaller)
            || offer.Revision is 0 or > MaxRevision)
        {
            return;
        }

        if (!IsTheirs(call, offer.Sdp, offer.Fingerprint))
        {
            End(CallHangupReason.Fingerprint, isOurs: true);
            return;
        }

        var rollback = call.IsOffering;
        call.Begin(offer.Revision);
        AskForAnswer(call, offer.Sdp, rollback);
    }

    private static bool IsTheirs(Call call, string sdp, ByteString fingerprint) =>
        CallSdp.Names(sdp, fingerprint.Span)
        && CryptographicOperations.FixedTimeEquals(call.TheirFingerprint ?? fingerprint.Span, fingerprint.Span);

    private const int MaxMid = 16;
    private const uint MaxRevision = 1_000_000;
}
