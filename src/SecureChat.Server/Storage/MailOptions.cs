using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Storage;

/// <summary>Section <c>Messages</c>: how long undelivered messages live.</summary>
internal sealed class MailOptions
{
    /// <summary>Life of an undelivered message: 30 to 120 minutes. A sender may ask for less, never for more.</summary>
    [Range(typeof(TimeSpan), "00:30:00", "02:00:00")]
    public TimeSpan Life { get; set; } = TimeSpan.FromMinutes(120);
}

[OptionsValidator]
internal sealed partial class MailOptionsValidator : IValidateOptions<MailOptions>;
