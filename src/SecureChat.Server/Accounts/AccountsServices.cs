using Microsoft.AspNetCore.Authentication;
using SecureChat.Server.Hosting;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>What the accounts slice brings into the server.</summary>
internal static class AccountsServices
{
    public static void AddAccounts(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<AccountsOptions, AccountsOptionsValidator>("Accounts");
        services.AddSettings<TokensOptions, TokensOptionsValidator>("Tokens");
        services.AddSettings<OtpOptions, OtpOptionsValidator>("Otp");

        services.AddSingleton<AccountNotices>().AddHostedService(provider => provider.GetRequiredService<AccountNotices>());
        services.AddSingleton<AccountDirectory>();
        services.AddSingleton<SigningKeys>();
        services.AddSingleton<AccessTokens>();
        services.AddSingleton<RefreshTokens>();
        services.AddSingleton<Credentials>();
        services.AddSingleton<Invites>();
        services.AddSingleton<AccountStore>();
        services.AddSingleton<OtpChallenges>();
        services.AddSingleton<OtpBudget>();
        services.AddSingleton<OtpDoor>();
        services.AddSingleton<SignUpDoor>();
        services.AddSingleton<IOtpProvider, ConsoleOtp>();
        services.AddSingleton<IOtpProvider, SmtpOtp>();
        services.AddSingleton<IOtpProvider, WebhookOtp>();

        // The client's own log events hold URLs.
        services.AddHttpClient(nameof(WebhookOtp)).RemoveAllLoggers();
        services.AddSingleton<OtpDelivery>().AddHostedService(provider => provider.GetRequiredService<OtpDelivery>());
        services.AddSingleton<Registration>();
        services.AddSingleton<RegistrationLock>();
        services.AddSingleton<DeviceStore>();
        services.AddSingleton<ProvisioningAddresses>();
        services.AddSingleton<UsernameStore>();
        services.AddSingleton<AccountExport>();
        services.AddHostedService<FirstInvite>();
        AddSweeps(services);


        // Not AddAuthentication, which also keeps keys for cookies on the disk.
        services.AddWebEncoders();
        services.AddAuthenticationCore(authentication => authentication.DefaultScheme = BearerScheme.SchemeName);
        new AuthenticationBuilder(services).AddScheme<AuthenticationSchemeOptions, BearerScheme>(BearerScheme.SchemeName, null);
        services.AddAuthorization();
    }

    public static void MapAccounts(this IEndpointRouteBuilder app)
    {
        app.MapAuth();
        app.MapDevices();
        app.MapUsernames();
        app.MapAccount();
    }

    private static void AddSweeps(IServiceCollection services)
    {
        services.AddSweep<Invites>("invites", TimeSpan.FromHours(1), (invites, ct) => invites.ReapAsync(ct));
        services.AddSweep<RefreshTokens>("refresh_tokens", TimeSpan.FromHours(1), (tokens, ct) => tokens.ReapAsync(ct));
        services.AddSweep<DeviceStore>("idle_devices", TimeSpan.FromHours(1), (devices, ct) => devices.ReapAsync(ct));
        services.AddSweep<AccountNotices>("ended_credentials", TimeSpan.FromMinutes(10), (notices, ct) => notices.ReapAsync(ct));
    }
}
