using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Messages;

/// <summary>Something that happened. Those about messages and identities are told again after a restart until they were taken.</summary>
public abstract record ChatEvent;

/// <summary>A message came, from a contact, a stranger, or another device of one's own.</summary>
public sealed record MessageReceived(ChatMessage Message) : ChatEvent;

/// <summary>A message was edited, taken back, or got another reaction. Several changes before the first is taken are told as one: how it stands.</summary>
public sealed record MessageChanged(ChatMessage Message) : ChatEvent;

/// <summary>A message destroyed itself, or was opened on another device.</summary>
public sealed record MessageErased(Guid Conversation, Guid Sender, Guid Id) : ChatEvent;

/// <summary>A message of one's own has come further, or is given up: see <see cref="ChatMessage.Progress"/>. Told once for several steps, as changes are.</summary>
public sealed record MessageProgressed(ChatMessage Message) : ChatEvent;

/// <summary>
/// A contact's identity key changed: a new telephone, or somebody in between. Compare safety numbers. With
/// <c>BlockUntilApproved</c> nothing is sent until <c>ApproveIdentityAsync</c>.
/// </summary>
public sealed record IdentityChanged(Guid Account) : ChatEvent;

/// <summary>A device was added to this account. One that the person does not know of is an attack.</summary>
public sealed record DeviceLinked(int Device) : ChatEvent;

/// <summary>
/// The server names devices of an account that the account itself does not, or gives out keys that nobody can have published: nothing is
/// encrypted for them, and what waits for the account goes on waiting. Of one's own account: somebody may be adding a device.
/// </summary>
public sealed record DeviceListInvalid(Guid Account, DeviceListFault Fault) : ChatEvent;

/// <summary>Somebody types, or has stopped. Told to whoever listens at that moment.</summary>
public sealed record TypingChanged(Guid Account, bool Stopped) : ChatEvent;

/// <summary>A signal of a call: docs/protocol/calls.md. Told to whoever listens at that moment.</summary>
/// <param name="IsContact">Whether the person has written to the account or accepted it: for <c>CallMachine.Received</c>.</param>
public sealed record CallSignalled(Guid Account, int Device, bool IsContact, CallMessage Signal, DateTimeOffset SentAt) : ChatEvent;

/// <summary>The connection was made (and everything that waited has come), or was lost.</summary>
public sealed record ConnectionChanged(bool IsConnected) : ChatEvent;

/// <summary>How far a message of one's own has come.</summary>
public enum Progress
{
    /// <summary>Kept here, not with the server yet.</summary>
    Waiting,

    /// <summary>With the server.</summary>
    Sent,

    /// <summary>Confirmed by a device of the recipient.</summary>
    Delivered,

    /// <summary>Read by the recipient, who says so.</summary>
    Read,

    /// <summary>Given up.</summary>
    NotDelivered,
}

/// <summary>One message of a conversation, as it stands.</summary>
public sealed class ChatMessage
{
    internal ChatMessage(MessageRecord record)
    {
        Record = record;
        (Conversation, Sender, Id) = (record.Conversation.ToGuid(), record.Sender.ToGuid(), record.Id.ToGuid());
    }

    /// <summary>The account on the other side, or the group.</summary>
    public Guid Conversation { get; }

    /// <summary>Who wrote it.</summary>
    public Guid Sender { get; }

    /// <summary>Its name, the same on all devices.</summary>
    public Guid Id { get; }

    /// <summary>When it was written, by the sender's clock.</summary>
    public DateTimeOffset SentAt => Record.Content.Timestamp.ToTime();

    /// <summary>The text; null for other kinds, when it was taken back, and for what opens once.</summary>
    public string? Text => IsViewOnce ? null : Record.Content.Text?.Body;

    /// <summary>The encrypted file that it points to; null for other kinds and for what opens once.</summary>
    public Media? Media => IsViewOnce ? null : Record.Content.Media?.Clone();

    /// <summary>Whether it points to a file, also one that opens once.</summary>
    public bool IsFile => Record.Content.BodyCase == Content.BodyOneofCase.Media;

    /// <summary>Shown once, by <c>OpenOnceAsync</c>.</summary>
    public bool IsViewOnce => Record.Content.ViewOnce;

    /// <summary>A kind that this version does not know.</summary>
    public bool IsUnknown => !IsTakenBack && Record.Content.BodyCase == Content.BodyOneofCase.None;

    /// <summary>Its sender has taken it back.</summary>
    public bool IsTakenBack => Record.Deleted;

    /// <summary>Its text is not the first one.</summary>
    public bool IsEdited => Record.EditedAt != 0;

    /// <summary>When it destroys itself; null: not, or the time begins with reading.</summary>
    public DateTimeOffset? ErasedAt => Record.EraseAt == 0 ? null : Record.EraseAt.ToTime();

    /// <summary>What people think of it.</summary>
    public IReadOnlyDictionary<Guid, string> Reactions =>
        Record.Reactions.Where(reaction => reaction.Emoji.Length > 0).ToDictionary(reaction => reaction.Sender.ToGuid(), reaction => reaction.Emoji);

    /// <summary>How far it has come, if it is one's own.</summary>
    public Progress Progress => (Progress)(int)Record.Progress;

    internal MessageRecord Record { get; }

    /// <summary>Never the content.</summary>
    public override string ToString() => nameof(ChatMessage);
}
