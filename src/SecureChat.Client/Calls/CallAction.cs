using Google.Protobuf;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Calls;

/// <summary>Something that <see cref="CallMachine"/> wants done, in the order in which it comes.</summary>
/// <remarks>Session descriptions hold secrets of a connection, so no action prints what is in it.</remarks>
public abstract record CallAction
{
    public sealed override string ToString() => GetType().Name;
}

/// <summary>Sends a message to all devices of an account.</summary>
public sealed record SendCallMessage(Guid Account, CallMessage Message) : CallAction
{
    /// <summary>How it travels.</summary>
    public CallDelivery Delivery => DeliveryOf(Message);

    /// <summary>How each kind of message travels: what begins or ends something reaches who is away for a moment, the rest is worth nothing later.</summary>
    public static CallDelivery DeliveryOf(CallMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return message.BodyCase switch
        {
            CallMessage.BodyOneofCase.Offer when message.Offer.Revision is 0 => CallDelivery.Urgent,
            CallMessage.BodyOneofCase.Offer or CallMessage.BodyOneofCase.Answer or CallMessage.BodyOneofCase.Hangup => CallDelivery.Stored,
            _ => CallDelivery.Ephemeral,
        };
    }
}

/// <summary>Makes an offer; answered with <see cref="CallMachine.OfferMade"/>.</summary>
/// <param name="Turn">To be handed back.</param>
/// <param name="RelayOnly">Candidates are gathered with <c>iceTransportPolicy</c> <c>relay</c>.</param>
public sealed record MakeOffer(CallTurn Turn, bool RelayOnly, bool Video) : CallAction;

/// <summary>Applies the other side's offer and makes an answer; answered with <see cref="CallMachine.AnswerMade"/>.</summary>
/// <param name="Rollback">First takes back an own offer that the other one crossed.</param>
public sealed record MakeAnswer(CallTurn Turn, string Offer, bool RelayOnly, bool Rollback) : CallAction;

/// <summary>Applies the other side's answer.</summary>
public sealed record ApplyAnswer(string Answer) : CallAction;

/// <summary>Hands the other side's candidates to the connection.</summary>
public sealed record AddCandidates(IReadOnlyList<CallCandidate> Candidates) : CallAction;

/// <summary>Rings, until the call is accepted, declined or ended.</summary>
public sealed record Ring(Guid Account, bool Video) : CallAction;

/// <summary>Shows the caller that it rings somewhere.</summary>
public sealed record ShowRinging : CallAction;

/// <summary>The other side's certificate is the one that it signalled: plays and sends media from now on, not before.</summary>
public sealed record StartMedia : CallAction;

/// <summary>Shows that somebody called in vain.</summary>
public sealed record ShowMissed(Guid Account, bool Video) : CallAction;

/// <summary>Closes the connection, stops ringing, shows why.</summary>
/// <param name="IsOurs">Whether this side ended it.</param>
public sealed record EndCall(CallHangupReason Reason, bool IsOurs) : CallAction;

/// <summary>Which negotiation of which call something is for; what comes back too late is recognised by it.</summary>
public readonly record struct CallTurn(ByteString Call, uint Revision);

/// <summary>How a message of a call travels (docs/protocol/calls.md#between-two-people).</summary>
public enum CallDelivery
{
    /// <summary>Stored for a minute, and wakes a sleeping device.</summary>
    Urgent,

    /// <summary>Stored for a minute.</summary>
    Stored,

    /// <summary>To connected devices, or nobody.</summary>
    Ephemeral,
}

/// <summary>Where a device stands (docs/protocol/calls.md#states-of-a-device).</summary>
public enum CallState
{
    Idle,
    Calling,
    Ringing,
    Connecting,
    Connected,
}
