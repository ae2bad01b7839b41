using SecureChat.Signal.Groups;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>A store that fails at any of its calls costs no message: it comes again and is read.</summary>
public sealed class InterruptionTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true, true, 9)]
    [InlineData(true, false, 9)]
    [InlineData(false, true, 7)]
    [InlineData(false, false, 7)]
    public async Task An_opening_message_that_was_interrupted_is_read_when_it_comes_again(bool oneTime, bool kyberOneTime, int atLeast)
    {
        var calls = await InterruptAsync(async (alice, bob) =>
        {
            await alice.StartAsync(bob, oneTime, kyberOneTime);
            return await alice.EncryptAsync(bob.Address, [7]);
        });

        Assert.True(calls >= atLeast);
    }

    [Fact]
    public async Task An_opening_that_follows_another_is_read_when_it_comes_again()
    {
        var calls = await InterruptAsync(async (alice, bob) =>
        {
            await alice.StartAsync(bob);
            await bob.DecryptAsync(alice.Address, await alice.EncryptAsync(bob.Address, [1]));
            return await alice.EncryptAsync(bob.Address, [7]);
        });

        Assert.True(calls >= 4);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_message_that_was_interrupted_is_read_when_it_comes_again(bool newChain)
    {
        var calls = await InterruptAsync(async (alice, bob) =>
        {
            await alice.StartAsync(bob);
            await bob.DecryptAsync(alice.Address, await alice.EncryptAsync(bob.Address, [1]));
            await alice.DecryptAsync(bob.Address, await bob.EncryptAsync(alice.Address, [2]));
            if (!newChain)
            {
                await bob.DecryptAsync(alice.Address, await alice.EncryptAsync(bob.Address, [3]));
            }

            return await alice.EncryptAsync(bob.Address, [7]);
        });

        Assert.True(calls >= 4);
    }

    [Fact]
    public async Task A_group_message_that_was_interrupted_is_read_when_it_comes_again()
    {
        var random = new SeededRandom(6);
        using var alice = new Device(random);
        var (distribution, sender) = (new Guid(random.Bytes(16)), new GroupCipher(new InMemorySenderKeyStore(), random));
        using var key = await sender.DistributeAsync(alice.Address, distribution, Ct);
        for (var failing = 0; failing < 2; failing++)
        {
            var store = new InMemorySenderKeyStore();
            var bob = new GroupCipher(store, random);
            await bob.ProcessAsync(alice.Address, key, Ct);
            var message = await sender.EncryptAsync(alice.Address, distribution, new byte[] { 7 }, Ct);
            var before = StoredState.Of(store);
            var interrupted = new GroupCipher(new Interruption(failing).On<ISenderKeyStore>(store), random);

            await Assert.ThrowsAsync<IOException>(async () => await interrupted.DecryptAsync(alice.Address, message, Ct));

            Assert.Equal(before, StoredState.Of(store));
            Assert.Equal([7], await bob.DecryptAsync(alice.Address, message, Ct));
        }
    }

    /// <summary>Fails at each call in turn, until none is left to fail.</summary>
    /// <returns>How many there were.</returns>
    private static async Task<int> InterruptAsync(Func<Device, Device, Task<SessionMessage>> prepare)
    {
        for (var failing = 0; ; failing++)
        {
            var random = new SeededRandom(5);
            using var alice = new Device(random);
            using var bob = new Device(random, 2);
            var message = await prepare(alice, bob);
            var interruption = new Interruption(failing);
            var cipher = new SessionCipher(
                bob.Self,
                interruption.On<ISessionStore>(bob.Stores),
                interruption.On<IIdentityStore>(bob.Stores),
                interruption.On<IPreKeyStore>(bob.Stores),
                random);

            var error = await Record.ExceptionAsync(
                async () => Assert.Equal([7], await cipher.DecryptAsync(alice.Address, message.Type, message.Serialized, Ct)));

            if (error is null)
            {
                Assert.Equal(failing, interruption.Calls);
                return failing;
            }

            Assert.IsType<IOException>(error);
            Assert.Equal([7], await bob.DecryptAsync(alice.Address, message));
            await AssertAllIsDoneAsync(alice, bob, message);
        }
    }

    private static async Task AssertAllIsDoneAsync(Device alice, Device bob, SessionMessage message)
    {
        Assert.Equal(SignalError.DuplicateMessage, await bob.RefusalAsync(alice.Address, message));
        if (message.Type == CiphertextType.PreKeyMessage)
        {
            var header = PreKeySignalMessage.Parse(message.Serialized.Span).Header;
            Assert.True(await bob.Stores.WasUsedAsync(new(header.KyberPreKeyId, header.SignedPreKeyId, header.BaseKey), Ct));
            Assert.Null(await bob.Stores.LoadOneTimeAsync(header.PreKeyId ?? 0, Ct));
        }

        Assert.Equal([8], await alice.DecryptAsync(bob.Address, await bob.EncryptAsync(alice.Address, [8])));
        Assert.Equal([9], await bob.DecryptAsync(alice.Address, await alice.EncryptAsync(bob.Address, [9])));
    }
}
