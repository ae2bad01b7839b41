using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Messages;

/// <summary>A message to send.</summary>
public sealed record OutgoingMessage
{
    /// <summary>Its text; with <see cref="Media"/> there is none.</summary>
    public string? Text { get; init; }

    /// <summary>A file that was encrypted and uploaded before: docs/protocol/media.md.</summary>
    public Media? Media { get; init; }

    /// <summary>The id of the message that it answers.</summary>
    public Guid? ReplyTo { get; init; }

    /// <summary>Opens once per account and is kept nowhere afterwards.</summary>
    public bool ViewOnce { get; init; }

    internal void WriteTo(Content content)
    {
        content.ViewOnce = ViewOnce;
        if (Media is not null)
        {
            content.Media = Media.Clone();
            return;
        }

        content.Text = new Text { Body = Text ?? throw new InvalidOperationException("A message has a text or a file.") };
        if (ReplyTo is { } target)
        {
            content.Text.ReplyTo = LocalStore.Ids.ToBytes(target);
        }
    }
}
