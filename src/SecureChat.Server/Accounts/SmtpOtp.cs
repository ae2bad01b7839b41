using MailKit.Net.Smtp;
using MailKit.Security;
using Microsoft.Extensions.Options;
using MimeKit;

namespace SecureChat.Server.Accounts;

/// <summary>Sends codes by mail.</summary>
internal sealed class SmtpOtp(IOptions<OtpOptions> options) : IOtpProvider
{
    public OtpChannel Channel => OtpChannel.Smtp;

    public async Task SendAsync(OtpMessage message, CancellationToken ct)
    {
        var settings = options.Value;
        using var mail = new MimeMessage();
        mail.From.Add(MailboxAddress.Parse(settings.SmtpFrom));
        mail.To.Add(new MailboxAddress(null, message.To.Value));
        mail.Subject = $"Your code: {message.Code}";
        mail.Body = new TextPart("plain")
        {
            Text = $"""
                Your code is {message.Code}. It is good for {message.Challenge.ExpiresIn / 60} minutes.

                Give it to nobody. If you did not ask for it, ignore this mail: without the code nothing happens.
                """,
        };

        using var client = new SmtpClient();
        await client.ConnectAsync(settings.SmtpHost, settings.SmtpPort, Security(settings), ct);
        if (settings.SmtpUser.Length > 0)
        {
            await client.AuthenticateAsync(settings.SmtpUser, settings.SmtpPassword, ct);
        }

        await client.SendAsync(mail, ct);
        await client.DisconnectAsync(quit: true, ct);
    }

    // Never StartTlsWhenAvailable: whoever is in between would say that it is not.
    private static SecureSocketOptions Security(OtpOptions settings) =>
        settings.SmtpPlaintext ? SecureSocketOptions.None
        : settings.SmtpPort is 465 ? SecureSocketOptions.SslOnConnect
        : SecureSocketOptions.StartTls;
}
