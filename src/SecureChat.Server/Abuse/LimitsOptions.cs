using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Abuse;

/// <summary>Section <c>Limits</c>: how strict the rate limits are.</summary>
internal sealed class LimitsOptions
{
    /// <summary>Multiplies every rate limit; 0 switches them off, for load tests on a closed network only.</summary>
    [Range(0, 1_000_000)]
    public double Scale { get; set; } = 1;

    /// <summary>
    /// Other figures for single limits, by the names below: <c>SECURECHAT_LIMITS__OVERRIDES__SEND__BURST=3000</c> is how much may be
    /// taken at once, <c>SECURECHAT_LIMITS__OVERRIDES__SEND__EVERY=00:00:00.1</c> the time in which one comes back. A shell that
    /// allows no hyphen in a name takes an underscore instead.
    /// </summary>
    public Dictionary<string, LimitOverride> Overrides { get; set; } = [];

    /// <summary>
    /// What becomes of what the anomaly detectors see: <c>act</c> (slow down, ask for work, refuse), <c>watch</c> (count and show
    /// it, and do nothing) or <c>off</c>. <c>SCALE</c> moves their thresholds as well.
    /// </summary>
    [EnumDataType(typeof(AnomalyMode))]
    public AnomalyMode Anomalies { get; set; }

    /// <summary>The limit's bucket under these settings; <see cref="Scale"/> must not be 0.</summary>
    public TokenBucket BucketOf(RateLimit limit)
    {
        var found = Overrides.FirstOrDefault(pair => IsNamed(pair.Key, limit)).Value;
        var (size, refill) = (found?.Burst ?? limit.Bucket.Size, found?.Every ?? limit.Bucket.Refill);
        return new(size * Scale, refill / Scale);
    }

    /// <summary>Whether an override's key means the limit.</summary>
    public static bool IsNamed(string key, RateLimit limit) =>
        limit.Name.Equals(key.Replace('_', '-'), StringComparison.OrdinalIgnoreCase);
}

/// <summary>What becomes of what the detectors see.</summary>
internal enum AnomalyMode
{
    Act,
    Watch,
    Off,
}

/// <summary>A limit's figures as the operator wants them; what is not set stays as it is.</summary>
internal sealed class LimitOverride
{
    public double? Burst { get; set; }

    public TimeSpan? Every { get; set; }
}

/// <summary>Refuses limits that do not exist, and figures under which a limit would stop the server or nothing at all.</summary>
internal sealed class LimitsOptionsValidator(IConfiguration configuration) : IValidateOptions<LimitsOptions>
{
    public ValidateOptionsResult Validate(string? name, LimitsOptions options)
    {
        var problems = new List<ValidationResult>();
        Validator.TryValidateObject(options, new ValidationContext(options), problems, validateAllProperties: true);
        var sentences = problems.Select(problem => problem.ErrorMessage!).Concat(Overrides()).ToList();
        return sentences.Count is 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(sentences);

        // From the source, not from the options: the binder leaves out of a dictionary what it cannot read.
        IEnumerable<string> Overrides() => configuration.GetSection("Limits:Overrides").GetChildren()
            .SelectMany(section => Rules(section, options.Overrides.GetValueOrDefault(section.Key)));
    }

    private static IEnumerable<string> Rules(IConfigurationSection section, LimitOverride? given)
    {
        var (key, setting) = (section.Key, $"Limits:Overrides:{section.Key}");
        if (RateLimits.All.FirstOrDefault(known => LimitsOptions.IsNamed(key, known)) is not { } limit)
        {
            yield return $"{setting} is no limit, for example {Example("send")} would be."
                + $" There are: {string.Join(", ", RateLimits.All.Select(known => known.Name).Order(StringComparer.Ordinal))}.";
            yield break;
        }

        if (section.GetChildren().FirstOrDefault(child => !IsProperty(child.Key)) is { } unknown)
        {
            yield return $"{setting}:{unknown.Key} is no setting; a limit has Burst and Every, for example {Example(limit.Name)}.";
            yield break;
        }

        if (given is not { Burst: not null } and not { Every: not null })
        {
            yield return $"{setting} must give Burst (a number), Every (a time) or both, for example {Example(limit.Name)}.";
            yield break;
        }

        if (given.Burst is { } burst && !(burst >= limit.Least && burst <= MaxBurst))
        {
            yield return $"{setting}:Burst must be between {limit.Least} (what one request may take) and {MaxBurst:0}, for example {Example(limit.Name)}.";
        }

        if (given.Every is { } every && (every < MinEvery || every > MaxEvery))
        {
            yield return $"{setting}:Every must be between {MinEvery} and {MaxEvery}, for example {setting}:Every=00:00:01.";
        }
        else if (given.Every is { } slow && (given.Burst ?? limit.Bucket.Size) * slow.TotalDays > MaxEvery.TotalDays)
        {
            yield return $"{setting} would take more than {MaxEvery.TotalDays} days to come back: lower Burst or Every, for example {Example(limit.Name)}.";
        }
    }

    private static bool IsProperty(string key) =>
        key.Equals(nameof(LimitOverride.Burst), StringComparison.OrdinalIgnoreCase)
        || key.Equals(nameof(LimitOverride.Every), StringComparison.OrdinalIgnoreCase);

    private static string Example(string limit) => $"Limits:Overrides:{limit}:Burst=3000";

    private const double MaxBurst = 1_000_000_000;
    private static readonly TimeSpan MinEvery = TimeSpan.FromMicroseconds(1);
    private static readonly TimeSpan MaxEvery = TimeSpan.FromDays(30);
}
