using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>The rules of signing up. Spec: docs/protocol/accounts.md#registration.</summary>
internal sealed class Registration(
    AccountStore accounts, OtpChallenges challenges, Invites invites, RegistrationLock registrationLock,
    OtpDoor otpDoor, SignUpDoor signUpDoor, AccountDirectory directory, Mailbox mailbox, IOptions<AccountsOptions> options, IHostEnvironment environment,
    ILogger<Registration> log)
{
    /// <summary>Who may make a new account, where the setting leaves it to the environment.</summary>
    public RegistrationMode Mode => options.Value.Registration
        ?? (environment.IsDevelopment() ? RegistrationMode.Open : RegistrationMode.Invite);

    public async Task<Results<Ok<Session>, ProblemHttpResult>> RegisterAsync(
        Register request, HttpContext context, CancellationToken ct)
    {
        if (request is { Challenge: { } challenge, Code: { } code })
        {
            // The cheap check first: signatures are verified only for whoever knows the code.
            return await challenges.CheckAsync(challenge, code, ct) is { } proof
                ? await RegisterWithIdentifierAsync(request, context, proof, ct)
                : Problem.From(ProtocolError.WrongCode);
        }

        if (request is not { Challenge: null, Code: null, Invite.Length: > 0 and <= MaxInviteLength })
        {
            return Problem.From(ProtocolError.Malformed);
        }

        var (device, refusal) = VerifiedDevice.Verify(request.Device, request.IdentityKey);
        if (device is null)
        {
            return Problem.From(refusal!);
        }

        return Mode is RegistrationMode.Closed
            ? Problem.From(ProtocolError.RegistrationClosed)
            : await CreateAsync(request, device, null, context, ct);
    }

    private async Task<Results<Ok<Session>, ProblemHttpResult>> RegisterWithIdentifierAsync(
        Register request, HttpContext context, OtpProof proof, CancellationToken ct)
    {
        var (device, refusal) = VerifiedDevice.Verify(request.Device, request.IdentityKey);
        if (device is null)
        {
            return Problem.From(refusal!);
        }

        if (await accounts.FindByIdentifierAsync(proof.IdentifierHash, ct) is not { } existing)
        {
            if (Mode is RegistrationMode.Closed)
            {
                return Problem.From(ProtocolError.RegistrationClosed);
            }

            if (Mode is RegistrationMode.Invite && request.Invite is not { Length: > 0 and <= MaxInviteLength })
            {
                return Problem.From(ProtocolError.InviteRequired);
            }

            if (Mode is RegistrationMode.Invite && !await invites.IsUsableAsync(request.Invite!, ct))
            {
                return Problem.From(ProtocolError.WrongCode);
            }

            return await AdmitNewAsync(request, context, ct) is { } unwelcome ? unwelcome
                : await UseAsync(proof, context, ct) ? await CreateAsync(request, device, proof.IdentifierHash, context, ct)
                : Problem.From(ProtocolError.WrongCode);
        }

        // A failed try leaves the challenge as it is: whoever mistypes a PIN needs no new code.
        var locked = registrationLock.IsEnforced(existing);
        if (locked && await TryLockAsync(existing, request.RegistrationLock, ct) is { } refused)
        {
            return refused;
        }

        if (!await UseAsync(proof, context, ct)
            || await accounts.TakeOverAsync(existing.Account, request.IdentityKey, device, keepLock: locked, ct) is not { } session)
        {
            return Problem.From(ProtocolError.WrongCode);
        }

        log.AccountTakenOver();
        return TypedResults.Ok(session);
    }

    // Null: the token is right. Otherwise the account's devices are told that somebody holds its identifier.
    private async Task<ProblemHttpResult?> TryLockAsync(AccountRow account, byte[]? token, CancellationToken ct)
    {
        if (token is { Length: not Limits.RegistrationLockBytes })
        {
            return Problem.From(ProtocolError.Malformed);
        }

        var wait = token is null ? TimeSpan.Zero : await registrationLock.TryAsync(account, token, ct);
        if (token is not null && wait == TimeSpan.Zero)
        {
            return null;
        }

        var devices = await directory.DevicesAsync(account.Account, ct);
        await mailbox.PostEventAsync(
            account.Account, [.. devices.Select(device => device.Device)], new Event { RegistrationLockFailed = new() }, ct);
        return Problem.From(ProtocolError.RegistrationLocked, wait > TimeSpan.Zero ? wait : null);
    }

    private async Task<bool> UseAsync(OtpProof proof, HttpContext context, CancellationToken ct)
    {
        var isUsed = await challenges.UseAsync(proof, ct);
        if (isUsed)
        {
            otpDoor.Used(context, proof);
        }

        return isUsed;
    }

    // An invite, which making the account uses up, takes the place of work.
    private async ValueTask<ProblemHttpResult?> AdmitNewAsync(Register request, HttpContext context, CancellationToken ct) =>
        request.Invite is { Length: > 0 and <= MaxInviteLength } invite && await invites.IsUsableAsync(invite, ct)
            ? null
            : await signUpDoor.AdmitAsync(context, ct);

    private async Task<Results<Ok<Session>, ProblemHttpResult>> CreateAsync(
        Register request, VerifiedDevice device, byte[]? identifierHash, HttpContext context, CancellationToken ct)
    {
        try
        {
            // Where none is needed it is used up all the same, if it is good: it may have taken the place of work.
            var invite = request.Invite is { Length: > 0 and <= MaxInviteLength } given
                && (Mode is RegistrationMode.Invite || identifierHash is null || await invites.IsUsableAsync(given, ct)) ? given : null;
            if (await accounts.CreateAsync(request.IdentityKey, device, identifierHash, invite, ct) is not { } session)
            {
                return Problem.From(ProtocolError.WrongCode);
            }

            signUpDoor.Made(context);
            log.AccountRegistered();
            return TypedResults.Ok(session);
        }
        catch (IdentifierTakenException)
        {
            return Problem.From(ProtocolError.WrongCode);
        }
    }

    private const int MaxInviteLength = 64;
}
