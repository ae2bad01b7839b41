using System.Security.Cryptography;
using SecureChat.Protocol.Accounts;

namespace SecureChat.Server.Tests.Support;

/// <summary>Somebody with an identity key, who can sign up and add devices.</summary>
internal sealed class Person
{
    private readonly IdentityKeyPair _identity = new();

    public byte[] IdentityKey => _identity.PublicKey;

    /// <summary>A device with keys that this person signed.</summary>
    public NewDevice NewDevice(byte[]? name = null) => new(
        RandomNumberGenerator.GetInt32(1, 16384),
        Sign(new IdentityKeyPair().PublicKey),
        Sign([0x08, .. RandomNumberGenerator.GetBytes(1568)]),
        name,
        ["calls"]);

    public SignedKey Sign(byte[] key) =>
        new(RandomNumberGenerator.GetInt32(int.MaxValue), key, _identity.Sign(key));

    /// <summary>Signs up with an address, from the request for a code to the session.</summary>
    public async Task<Session> SignUpAsync(Node node, string email, byte[]? registrationLock = null) =>
        await (await TrySignUpAsync(node, email, registrationLock)).ReadAsync<Session>();

    public async Task<HttpResponseMessage> TrySignUpAsync(Node node, string email, byte[]? registrationLock = null)
    {
        var (challenge, code) = await RequestCodeAsync(node, email);
        return await node.Http.PostAsync(
            "/v1/auth/register", new Register(IdentityKey, NewDevice(), challenge, code, null, registrationLock));
    }

    /// <summary>Asks for a code and reads it from the outbox.</summary>
    public static async Task<(string Challenge, string Code)> RequestCodeAsync(Node node, string email)
    {
        var answer = await (await node.Http.PostAsync("/v1/auth/otp", new OtpRequest(email))).ReadAsync<OtpChallenge>();
        return (answer.Challenge, await node.Outbox.CodeAsync(answer.Challenge));
    }
}
