using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Senders;
using SecureChat.Server.Abuse;
using SecureChat.Server.Tests.Attacks;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Abuse;

/// <summary>Answers that must not be told apart wait for the same beat, whatever the work behind them took.</summary>
public sealed class OneMomentTests
{
    // Of the test, should it never come.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_began_together_is_answered_together_however_long_the_work_took()
    {
        var time = new FakeTimeProvider();
        using var moment = new OneMoment(time);
        var began = moment.Begin();

        time.Advance(TimeSpan.FromMilliseconds(0.3));
        var quick = moment.ComesAsync(began, 1, Ct);
        time.Advance(TimeSpan.FromMilliseconds(9.4));
        var slow = moment.ComesAsync(began, 1, Ct);

        Beats(time, 4);
        Assert.Equal((false, false), (quick.IsCompleted, slow.IsCompleted));
        Beats(time, 2);
        await Task.WhenAll(quick, slow).WaitAsync(Patience, Ct);
    }

    [Fact]
    public async Task Work_beyond_a_step_is_answered_after_the_next_and_many_recipients_make_longer_steps()
    {
        var time = new FakeTimeProvider();
        using var moment = new OneMoment(time);
        var began = moment.Begin();

        time.Advance(TimeSpan.FromMilliseconds(16));
        var late = moment.ComesAsync(began, 1, Ct);
        var many = moment.ComesAsync(began, 101, Ct);

        Beats(time, 13);
        Assert.Equal((false, false), (late.IsCompleted, many.IsCompleted));
        Beats(time, 6);
        await late.WaitAsync(Patience, Ct);
        Assert.False(many.IsCompleted);
        Beats(time, 40);
        await many.WaitAsync(Patience, Ct);
    }

    [Fact]
    public async Task M7_every_answer_that_must_not_be_told_apart_waits_for_the_moment_and_is_one_in_bytes()
    {
        var beats = new FakeTimeProvider();
        await using var node = await Node.StartAsync(
            new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero)),
            services => services.Replace(ServiceDescriptor.Singleton(new OneMoment(beats))));
        using var alice = await WhileTheyComeAsync(beats, Member.SignUpAsync(node, "alice@chat.example"));
        using var bob = await WhileTheyComeAsync(beats, Member.SignUpAsync(node, "bob@chat.example"));
        node.Clock.Advance(TimeSpan.FromMinutes(1));
        await bob.Http.SendAsync(HttpMethod.Put, "/v1/senders/policy", new SendPolicy(new byte[16]));
        await bob.Http.SendAsync(HttpMethod.Put, "/v1/senders/blocks", new BlockSender(alice.Account, true));
        var nobody = Guid.CreateVersion7();
        Task<HttpResponseMessage>[][] alike =
        [
            [Sealed(nobody), Sealed(bob.Account), Sealed(alice.Account)],
            [Named(nobody), Named(bob.Account)],
            [LookUp("bob@chat.example"), LookUp("bop@chat.example")],
        ];

        // Their challenges are random; M7_the_answer_is_the_same_in_bytes_… compares the rest of them.
        Task<HttpResponseMessage>[] codes = [Code("bob@chat.example"), Code("bop@chat.example")];

        Assert.Equal(9, await Eventually.IsAsync(9, () => Task.FromResult(node.Get<OneMoment>().Waiting)));
        Assert.All(alike.SelectMany(asked => asked).Concat(codes), asked => Assert.False(asked.IsCompleted));
        Beats(beats, 20);
        Assert.All(await Task.WhenAll(codes), answer => Assert.True(answer.IsSuccessStatusCode));
        foreach (var asked in alike)
        {
            var seen = new HashSet<string>();
            foreach (var answer in await Task.WhenAll(asked))
            {
                seen.Add(await answer.SeenAsync());
            }

            Assert.Single(seen);
        }

        Task<HttpResponseMessage> Sealed(Guid to) => node.Http.PostAsync(
            "/v1/sealed/messages", new SealedMessage(Guid.CreateVersion7(), to, [new DeviceMessage(1, 1, 6, [1])], 1, "sixteen letters!"u8.ToArray()));
        Task<HttpResponseMessage> Named(Guid to) => alice.Http.PostAsync(
            "/v1/messages", new SendMessage(Guid.CreateVersion7(), [new MessageRecipient(to, [new DeviceMessage(1, 1, 2, [1])])], 1));
        Task<HttpResponseMessage> Code(string email) => node.Http.PostAsync("/v1/auth/otp", new OtpRequest(email));
        Task<HttpResponseMessage> LookUp(string email) => alice.Http.PostAsync("/v1/accounts/lookup", new LookUpIdentifier(email));
    }

    private static async Task<T> WhileTheyComeAsync<T>(FakeTimeProvider beats, Task<T> work)
    {
        while (!work.IsCompleted)
        {
            Beats(beats, 1);
            await Task.Yield();
        }

        return await work;
    }

    private static void Beats(FakeTimeProvider time, int milliseconds)
    {
        for (var i = 0; i < milliseconds; i++)
        {
            time.Advance(TimeSpan.FromMilliseconds(1));
        }
    }
}
