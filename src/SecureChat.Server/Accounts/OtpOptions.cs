using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Accounts;

/// <summary>Section <c>Otp</c>: one-time codes and how they are sent.</summary>
internal sealed class OtpOptions
{
    /// <summary>
    /// How codes for e-mail addresses are sent: <c>none</c>, <c>console</c> (Development only), <c>smtp</c> or <c>webhook</c>.
    /// Not set: <c>console</c> in Development, else <c>smtp</c> or <c>webhook</c> if its address is set, else <c>none</c>.
    /// </summary>
    [EnumDataType(typeof(OtpChannel))]
    public OtpChannel? Email { get; set; }

    /// <summary>How codes for numbers are sent: <c>none</c>, <c>console</c> (Development only) or <c>webhook</c>. Not set: as for e-mail, without SMTP.</summary>
    [EnumDataType(typeof(OtpChannel))]
    public OtpChannel? Phone { get; set; }

    /// <summary>
    /// Codes sent in any 24 hours by the whole server, half of them at once: the fuse against somebody running up a bill. When half of
    /// what is there at once is gone, codes take a proof of work.
    /// </summary>
    [Range(2, 10_000_000)]
    public int MaxPerDay { get; set; } = 5000;

    /// <summary>The same for numbers that begin alike, up to seven digits with the country code.</summary>
    [Range(2, 10_000_000)]
    public int MaxPerRangePerDay { get; set; } = 200;

    /// <summary>Host name of the mail server.</summary>
    public string SmtpHost { get; set; } = "";

    /// <summary>Port of the mail server; 465 speaks TLS at once, other ports upgrade with STARTTLS.</summary>
    [Range(1, 65535)]
    public int SmtpPort { get; set; } = 587;

    /// <summary>Sends mail over an unencrypted connection, for a mail server on this machine only.</summary>
    public bool SmtpPlaintext { get; set; }

    /// <summary>User name at the mail server; empty: none is given.</summary>
    public string SmtpUser { get; set; } = "";

    /// <summary>Password at the mail server. From the environment or a file, not from appsettings.json.</summary>
    public string SmtpPassword { get; set; } = "";

    /// <summary>Sender of the mails.</summary>
    public string SmtpFrom { get; set; } = "";

    /// <summary>Where codes are posted as JSON, for any SMS gateway.</summary>
    public Uri? WebhookUrl { get; set; }

    /// <summary>Signs the posts; at least 32 characters. From the environment or a file, not from appsettings.json.</summary>
    public string WebhookSecret { get; set; } = "";

    /// <summary>What <see cref="Email"/> and <see cref="Phone"/> come to.</summary>
    public OtpChannel ChannelFor(IdentifierKind kind, IHostEnvironment environment)
    {
        var chosen = kind is IdentifierKind.Email ? Email : Phone;
        return chosen ?? (environment.IsDevelopment() ? OtpChannel.Console
            : kind is IdentifierKind.Email && SmtpHost.Length > 0 ? OtpChannel.Smtp
            : WebhookUrl is not null ? OtpChannel.Webhook
            : OtpChannel.None);
    }
}

/// <summary>The ways to send a code.</summary>
internal enum OtpChannel
{
    None,
    Console,
    Smtp,
    Webhook,
}

/// <summary>Refuses settings under which codes could not be sent, or would be sent carelessly.</summary>
internal sealed class OtpOptionsValidator(IHostEnvironment environment) : IValidateOptions<OtpOptions>
{
    public ValidateOptionsResult Validate(string? name, OtpOptions options)
    {
        var problems = new List<ValidationResult>();
        Validator.TryValidateObject(options, new ValidationContext(options), problems, validateAllProperties: true);
        var sentences = problems.Select(problem => problem.ErrorMessage!).Concat(Rules(options)).ToList();
        return sentences.Count is 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(sentences);
    }

    private IEnumerable<string> Rules(OtpOptions options)
    {
        if (environment.IsProduction() && (options.Email is OtpChannel.Console || options.Phone is OtpChannel.Console))
        {
            yield return "Otp:Email and Otp:Phone must not be 'console' in Production: anyone who reads the log could sign in."
                + " Use 'smtp', 'webhook' or 'none'.";
        }

        if (options.Phone is OtpChannel.Smtp)
        {
            yield return "Otp:Phone must not be 'smtp': a number cannot get mail. Use 'webhook' or 'none'.";
        }

        if (options.ChannelFor(IdentifierKind.Email, environment) is OtpChannel.Smtp)
        {
            if (options.SmtpHost.Length is 0)
            {
                yield return "Otp:SmtpHost must be set to send mail, for example 'mail.example.org'.";
            }

            if (!options.SmtpFrom.Contains('@', StringComparison.Ordinal))
            {
                yield return "Otp:SmtpFrom must be a mail address, for example 'chat@example.org'.";
            }
        }

        if (options.ChannelFor(IdentifierKind.Email, environment) is OtpChannel.Webhook
            || options.ChannelFor(IdentifierKind.Phone, environment) is OtpChannel.Webhook)
        {
            if (options.WebhookUrl is not { IsAbsoluteUri: true, Scheme: "https" or "http" })
            {
                yield return "Otp:WebhookUrl must be an absolute URL, for example 'https://sms.example.org/send'.";
            }

            if (options.WebhookSecret.Length < 32)
            {
                yield return "Otp:WebhookSecret must have at least 32 characters, for example from 'openssl rand -hex 32'.";
            }
        }
    }
}
