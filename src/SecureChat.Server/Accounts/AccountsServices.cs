using Microsoft.AspNetCore.Authentication;
using SecureChat.Server.Abuse;
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
        services.AddSettings<LimitsOptions, LimitsOptionsValidator>("Limits");

        services.AddSingleton<RateLimiter>();
        services.AddSingleton<AccountNotices>().AddHostedService(provider => provider.GetRequiredService<AccountNotices>());
        services.AddSingleton<AccountDirectory>();
        services.AddSingleton<SigningKeys>();
        services.AddSingleton<AccessTokens>();
        services.AddSingleton<RefreshTokens>();
        services.AddSingleton<Credentials>();
        services.AddSingleton<Invites>();
        services.AddSingleton<AccountStore>();
        services.AddSingleton<OtpChallenges>();
        services.AddSingleton<IOtpProvider, ConsoleOtp>();
        services.AddSingleton<OtpDelivery>().AddHostedService(provider => provider.GetRequiredService<OtpDelivery>());
        services.AddSingleton<Registration>();

        services.AddAuthentication(BearerScheme.SchemeName)
            .AddScheme<AuthenticationSchemeOptions, BearerScheme>(BearerScheme.SchemeName, null);
        services.AddAuthorization();
    }

    public static void MapAccounts(this IEndpointRouteBuilder app)
    {
        app.MapAuth();
    }
}
