using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Groups;

/// <summary>Section <c>Groups</c>: how long what nobody asks for stays.</summary>
internal sealed class GroupsOptions
{
    /// <summary>Days after which a group that no member has read or written is deleted.</summary>
    [Range(1, 3650)]
    public int IdleDays { get; set; } = 90;

    /// <summary>Days for which a request to join waits.</summary>
    [Range(1, 90)]
    public int JoinRequestDays { get; set; } = 7;
}

[OptionsValidator]
internal sealed partial class GroupsOptionsValidator : IValidateOptions<GroupsOptions>;
