using System.Security.Cryptography;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Senders;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Attacks;

/// <summary>What somebody without a name can do to, and learn of, somebody who gave them no right.</summary>
public sealed class SealedAttackTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task M4_ten_thousand_messages_without_a_right_cost_the_recipient_nothing()
    {
        await using var node = await Node.StartAsync();
        using var bob = await Member.SignUpAsync(node, "bob@chat.example");
        var right = RandomNumberGenerator.GetBytes(16);
        Assert.Equal("204", await (await bob.Http.SendAsync(HttpMethod.Put, "/v1/senders/policy", new SendPolicy(right))).OutcomeAsync());

        var admitted = 0;
        await Parallel.ForAsync(0, 10_000, new ParallelOptions { MaxDegreeOfParallelism = 256, CancellationToken = Ct }, async (_, _) =>
        {
            var answer = await node.Http.PostAsync("/v1/sealed/messages", To(bob, 1, RandomNumberGenerator.GetBytes(16)));
            if (await answer.OutcomeAsync() is not "401 send_refused")
            {
                Interlocked.Increment(ref admitted);
            }
        });

        Assert.Equal(0, admitted);
        Assert.Equal(0, await node.Get<IMessageQueue>().CountAsync(Ct));
        var device = (await (await bob.Http.GetAsync(new Uri("/v1/messages", UriKind.Relative), Ct)).ReadAsync<ReceivedMessages>()).Messages;
        Assert.Empty(device);
    }

    [Fact]
    public async Task M5_a_refusal_is_the_same_in_bytes_for_accounts_of_one_and_of_five_devices()
    {
        await using var node = await Node.StartAsync();
        using var one = await Member.SignUpAsync(node, "one@chat.example");
        using var five = await Member.SignUpAsync(node, "five@chat.example");
        for (var i = 0; i < 4; i++)
        {
            (await five.LinkAsync(node)).Dispose();
        }

        var seen = new HashSet<string>();
        foreach (var member in new[] { one, five })
        {
            for (var devices = 1; devices <= 6; devices++)
            {
                seen.Add(await (await node.Http.PostAsync("/v1/sealed/messages", To(member, devices, RandomNumberGenerator.GetBytes(16)))).SeenAsync());
            }
        }

        Assert.StartsWith("401", Assert.Single(seen), StringComparison.Ordinal);
    }

    private static SealedMessage To(Member member, int devices, byte[] right) => new(
        Guid.CreateVersion7(),
        member.Account,
        [.. Enumerable.Range(1, devices).Select(device => new DeviceMessage(device, 1, 6, [1, 2, 3]))],
        1,
        right);
}
