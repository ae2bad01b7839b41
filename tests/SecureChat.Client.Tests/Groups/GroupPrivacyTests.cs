using System.Collections.Concurrent;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Groups;

/// <summary>What a group gives away of those who did not ask to be in it.</summary>
public sealed class GroupPrivacyTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task M2_a_group_that_a_stranger_makes_brings_forth_no_answer_before_the_person_agrees()
    {
        await using var world = await World.StartAsync();
        var (bob, mallory) = (await world.PersonAsync(), await world.PersonAsync());
        await mallory.SendAsync(bob, "hi");
        await bob.TextAsync("hi");
        var group = await world.GroupAsync(mallory, bob);
        await mallory.Client.SendAsync(group, "are you there?", Ct);
        await bob.TextAsync("are you there?");

        // An admin who stays behind is to make a new secret: that would be an answer too.
        await mallory.Client.SetGroupRoleAsync(group, bob.Account, GroupRole.Admin, Ct);
        await world.AgreeAsync(group, 2, bob);
        await mallory.Client.LeaveGroupAsync(group, Ct);
        await world.AgreeAsync(group, 3, bob);
        await mallory.Client.DisconnectAsync(Ct);
        var answers = Answers(world);
        for (var i = 0; i < 60; i++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(1));
        }

        Assert.Empty(answers);

        // Once Bob accepts who brought him in, the device does its part.
        await bob.Client.AcceptAsync(mallory.Account, Ct);
        await world.UntilAsync(() => Task.FromResult(answers.Contains("PUT /v1/groups/state")), TimeSpan.FromMinutes(1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task M2_who_writes_in_a_group_or_asked_to_join_it_confirms_what_comes_there(bool asked)
    {
        await using var world = await World.StartAsync();
        var (alice, bob, _) = await world.ThreeAsync();
        var dave = await world.PersonAsync();
        await alice.SendAsync(dave, "hi dave");
        await dave.TextAsync("hi dave");
        var group = asked ? await world.GroupAsync(alice, bob) : await world.GroupAsync(alice, bob, dave);
        if (asked)
        {
            await dave.Client.AskToJoinAsync(await alice.Client.InviteToGroupAsync(group, reset: false, Ct), Ct);
            await alice.Client.ApproveAsync(Assert.Single(await alice.Client.GroupApplicantsAsync(group, Ct)), Ct);
            await world.AgreeAsync(group, 3, bob, dave);
        }
        else
        {
            await world.AgreeAsync(group, 1, bob, dave);
            await dave.Client.SendAsync(group, "who are you all?", Ct);
        }

        var sent = await alice.Client.SendAsync(group, "welcome", Ct);
        await dave.TextAsync("welcome");
        await bob.TextAsync("welcome");

        await world.UntilAsync(async () => await alice.ProgressAsync(sent) == Progress.Delivered);
    }

    [Fact]
    public async Task What_one_device_writes_in_a_group_is_agreement_on_the_others_too()
    {
        await using var world = await World.StartAsync();
        var (bob, mallory) = (await world.PersonAsync(), await world.PersonAsync());
        var tablet = await world.LinkedAsync(bob);
        await mallory.SendAsync(bob, "hi");
        await tablet.TextAsync("hi");
        var group = await world.GroupAsync(mallory, bob);
        await world.AgreeAsync(group, 1, tablet);
        await mallory.Client.SendAsync(group, "are you there?", Ct);
        await tablet.TextAsync("are you there?");
        Assert.False((await tablet.RecordAsync(group)).Agreed);

        await bob.Client.SendAsync(group, "who are you?", Ct);

        await world.UntilAsync(async () => (await tablet.RecordAsync(group)).Agreed);
    }

    private static ConcurrentQueue<string> Answers(World world) =>
        world.Asked(request => request.Method != HttpMethod.Get, request => $"{request.Method} {request.RequestUri!.AbsolutePath}");
}
