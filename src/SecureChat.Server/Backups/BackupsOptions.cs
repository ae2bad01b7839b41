using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Backups;

/// <summary>Section <c>Backups</c>: encrypted backups of people who want one.</summary>
internal sealed class BackupsOptions
{
    /// <summary>Days after which a backup that was neither read nor written is deleted.</summary>
    [Range(1, 3650)]
    public int IdleDays { get; set; } = 180;

    /// <summary>MiB that one backup may have.</summary>
    [Range(1, 10_240)]
    public int MaxMiB { get; set; } = 64;
}

[OptionsValidator]
internal sealed partial class BackupsOptionsValidator : IValidateOptions<BackupsOptions>;
