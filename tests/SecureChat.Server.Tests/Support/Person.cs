using System.Security.Cryptography;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Signal;
using SecureChat.Signal.Keys;

namespace SecureChat.Server.Tests.Support;

/// <summary>Somebody with an identity key, who can sign up and add devices.</summary>
internal sealed class Person
{
    private readonly PrivateKey _identity = PrivateKey.Generate(RandomSource.System);

    public byte[] IdentityKey => _identity.PublicKey.Serialize();

    /// <summary>A device with keys that this person signed.</summary>
    public NewDevice NewDevice(byte[]? name = null) => new(
        RandomNumberGenerator.GetInt32(1, 16384),
        Sign(PrivateKey.Generate(RandomSource.System).PublicKey.Serialize()),
        Sign(KyberKey()),
        name,
        ["calls"]);

    /// <summary>A Kyber1024 public key in serialised form; nobody keeps the secret.</summary>
    public static byte[] KyberKey()
    {
        using var pair = KyberKeyPair.Generate(RandomSource.System);
        return pair.PublicKey.Serialize();
    }

    public SignedKey Sign(byte[] key) =>
        new(RandomNumberGenerator.GetInt32(int.MaxValue), key, _identity.Sign(key, RandomSource.System));

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

    /// <summary>Lets an address ask for a code again at once, where the clock is the real one.</summary>
    public static async Task ForgetWaitAsync(Node node, string email)
    {
        var hash = Identifier.Parse(email, null)!.Hash(node.Get<Secrets>());
        var wait = node.Get<HourlyNames>().Of("otp-wait:", hash, TimeSpan.FromHours(2)).Now;
        await node.Get<IHotStore>().RemoveAsync(wait, TestContext.Current.CancellationToken);
    }
}
