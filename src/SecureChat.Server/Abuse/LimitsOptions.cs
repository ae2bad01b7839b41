using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Abuse;

/// <summary>Section <c>Limits</c>: how strict the rate limits are.</summary>
internal sealed class LimitsOptions
{
    /// <summary>Multiplies every rate limit; 0 switches them off, for load tests on a closed network only.</summary>
    [Range(0, 1_000_000)]
    public double Scale { get; set; } = 1;
}

[OptionsValidator]
internal sealed partial class LimitsOptionsValidator : IValidateOptions<LimitsOptions>;
