using System.Security.Cryptography;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Peer;

/// <summary>The driver itself: two official clients talk, so that a later failure points at our side.</summary>
public sealed class LibsignalPeerTests(LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Two_official_clients_start_a_session_and_answer(bool oneTime)
    {
        var (alice, bob) = await FriendsAsync(oneTime);

        var hello = await alice.EncryptAsync(bob.Address, [1, 2, 3], Ct);
        var heard = await bob.DecryptAsync(alice.Address, hello.Type, hello.Ciphertext, Ct);
        var reply = await bob.EncryptAsync(alice.Address, [4, 5], Ct);
        var answered = await alice.DecryptAsync(bob.Address, reply.Type, reply.Ciphertext, Ct);

        Assert.Equal([1, 2, 3], heard);
        Assert.Equal([4, 5], answered);
        Assert.Equal((3, 2), (hello.Type, reply.Type));
        Assert.Equal(bob.RegistrationId, hello.RegistrationId);
    }

    [Fact]
    public async Task A_refusal_of_the_official_client_is_reported_with_its_cause()
    {
        var (alice, bob) = await FriendsAsync(oneTime: true);
        var hello = await alice.EncryptAsync(bob.Address, [1], Ct);
        await bob.DecryptAsync(alice.Address, hello.Type, hello.Ciphertext, Ct);
        var reply = await bob.EncryptAsync(alice.Address, [2], Ct);
        reply.Ciphertext[^1] ^= 1;

        var refusal = await Assert.ThrowsAsync<LibsignalPeerException>(
            () => alice.DecryptAsync(bob.Address, reply.Type, reply.Ciphertext, Ct));

        Assert.Contains("decryption failed", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(refusal.Log, line => line.Contains("MAC", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_reinstalled_client_has_another_identity_and_is_refused_until_trusted()
    {
        var (alice, bob) = await FriendsAsync(oneTime: true);
        await peer.CallAsync("newIdentity", new { party = bob.Id }, Ct);
        var published = await bob.PreKeysAsync(1, 1, 1, Ct);

        await Assert.ThrowsAsync<LibsignalPeerException>(
            () => alice.ProcessBundleAsync(bob.Address, published.Bundle(oneTime: true), Ct));
        var identityKey = published.Bytes("identityKey");
        await peer.CallAsync("trust", new { party = alice.Id, remote = bob.Address, identityKey }, Ct);
        await alice.ProcessBundleAsync(bob.Address, published.Bundle(oneTime: true), Ct);

        Assert.NotEqual(bob.IdentityKey, identityKey);
    }

    private async Task<(PeerParty Alice, PeerParty Bob)> FriendsAsync(bool oneTime)
    {
        var alice = await peer.PartyAsync(NewAccount(), 1, Ct);
        var bob = await peer.PartyAsync(NewAccount(), 2, Ct);
        var published = await bob.PreKeysAsync(2, 2, 1, Ct);
        await alice.ProcessBundleAsync(bob.Address, published.Bundle(oneTime), Ct);
        return (alice, bob);
    }

    private static string NewAccount() => new Guid(RandomNumberGenerator.GetBytes(16)).ToString();
}
