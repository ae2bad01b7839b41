using CsCheck;
using SecureChat.Client.Calls;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Calls;

/// <summary>Whatever people do, and whatever the network does with their messages.</summary>
public sealed class CallPropertyTests
{
    private static readonly Guid Ada = new("00000000-0000-4000-8000-00000000000a");
    private static readonly Guid Bob = new("00000000-0000-4000-8000-00000000000b");

    // What happens next: somebody does something, or a message is delivered.
    private static readonly Gen<(int What, int Who, int Which)> Step = Gen.Select(Gen.Int[0, 19], Gen.Int[0, 3], Gen.Int[0, 1000]);

    private static readonly Gen<(List<(int What, int Who, int Which)> Steps, byte[] Ids)> Story = Gen.Select(Step.List[0, 60], Gen.Byte.Array[4]);

    [Fact]
    public void Both_sides_agree_on_every_call_when_all_messages_have_arrived() => Story.Sample(
        story =>
        {
            var world = Play(story.Steps, story.Ids, isOrdered: true);
            world.DeliverAll();

            foreach (var device in world.Devices.Where(one => one.Machine.State is CallState.Connecting or CallState.Connected))
            {
                var others = world.Devices.Where(other => other.Account == device.Machine.Peer && other.Call == device.Call && other.Call is not null
                    && other.Machine.State is CallState.Connecting or CallState.Connected).ToList();
                if (others.Count is not 1 || others[0].Applied != device.Number || device.Applied != others[0].Number)
                {
                    return false;
                }
            }

            return IsDiscreet(world);
        },
        iter: 4000);

    [Fact]
    public void A_story_told_in_any_order_and_in_part_twice_ends_with_everybody_free() => Story.Sample(
        story =>
        {
            var world = Play(story.Steps, story.Ids, isOrdered: false);
            world.DeliverAll();
            for (var i = 0; i < 4; i++)
            {
                world.Pass(CallMachine.RingTime);
                world.DeliverAll();
            }

            world.Devices.ForEach(device => device.Do(device.Machine.HangUp()));
            world.DeliverAll();
            return world.Devices.All(device => device.Machine is { State: CallState.Idle, Wait: null, Peer: null } && !device.IsRinging && !device.HasMedia)
                && IsDiscreet(world);
        },
        iter: 4000);

    [Fact]
    public void Whatever_is_lost_of_what_nobody_keeps_everybody_is_free_when_it_has_rung_out() => Gen.Select(Story, Gen.Int[0, 1 << 16]).Sample(
        (story, lost) =>
        {
            // Nobody's media connects: a call that is up ends with its people.
            var world = Play([.. story.Steps.Where(step => step.What is not 8)], story.Ids, isOrdered: true);
            for (var pass = 0; pass < 2; pass++)
            {
                for (var i = 0; world.Mail.Count > 0; i++)
                {
                    if (world.Mail[0].Delivery is CallDelivery.Ephemeral && (lost >> (i % 16) & 1) is 1)
                    {
                        world.Mail.RemoveAt(0);
                    }
                    else
                    {
                        world.Deliver(0);
                    }
                }

                world.Pass(CallMachine.RingTime);
            }

            return world.Devices.All(device => device.Machine is { State: CallState.Idle, Wait: null, Peer: null } && !device.IsRinging);
        },
        iter: 4000);

    [Fact]
    public void Of_any_number_of_devices_that_accept_one_talks() => Gen.Select(Gen.Int[1, 6], Gen.Int[0, 1 << 6], Gen.Int[0, 1000].Array[200]).Sample(
        (devices, accepting, order) =>
        {
            var world = new CallWorld();
            var ada = world.Add(Ada, 1);
            var bobs = Enumerable.Range(1, devices).Select(number => world.Add(Bob, number)).ToList();
            ada.Start(Bob);
            world.DeliverAll();
            var accepted = bobs.Where((_, i) => (accepting >> i & 1) is 1).ToList();
            accepted.ForEach(bob => bob.Do(bob.Machine.Accept(isContact: true)));
            for (var i = 0; world.Mail.Count > 0; i++)
            {
                world.Deliver(InOrder(world, order[i % order.Length]));
            }

            world.ConnectMedia();
            var talking = bobs.Where(bob => bob.HasMedia).ToList();
            return talking.Count == Math.Min(1, accepted.Count) && ada.HasMedia == (accepted.Count > 0)
                && bobs.Except(talking).All(bob => accepted.Count is 0 ? bob.IsRinging : bob.Machine.State is CallState.Idle && !bob.IsRinging);
        },
        iter: 2000);

    // No candidate before its sender's side of the call was accepted, and none in an offer.
    private static bool IsDiscreet(CallWorld world) => world.Devices.All(device =>
    {
        var sent = device.Sent;
        return sent.All(message => message.Offer is null || !CallSdp.HasCandidates(message.Offer.Sdp))
            && sent.Select((message, i) => (message, i)).Where(one => one.message.Candidates is not null).All(one =>
                sent.Take(one.i).Any(before => before.Call == one.message.Call
                    && (before.Answer is not null || before.Hangup?.Reason is CallHangupReason.AcceptedElsewhere)));
    });

    private static CallWorld Play(List<(int What, int Who, int Which)> steps, byte[] ids, bool isOrdered)
    {
        var world = new CallWorld();
        CallDevice[] devices = [world.Add(Ada, 1, ids[0]), world.Add(Ada, 2, ids[1]), world.Add(Bob, 3, ids[2]), world.Add(Bob, 4, ids[3])];
        foreach (var (what, who, which) in steps)
        {
            Play(world, devices[who], what, which, isOrdered);
        }

        return world;
    }

    private static void Play(CallWorld world, CallDevice device, int what, int which, bool isOrdered)
    {
        var machine = device.Machine;
        switch (what)
        {
            case 0 or 1:
                device.Start(device.Account == Ada ? Bob : Ada, isContact: which % 2 is 0);
                break;
            case 2 or 3:
                device.Do(machine.Accept(isContact: which % 2 is 0));
                break;
            case 4:
                device.Do(machine.Decline());
                break;
            case 5:
                device.Do(machine.HangUp());
                break;
            case 6:
                device.Do(machine.Gathered([new CallCandidate { Candidate = $"candidate:{which} 1 udp 1 192.0.2.1 9 typ {(which % 2 is 0 ? "host" : "relay")}", Mid = "0" }]));
                break;
            case 7:
                device.Do(machine.Renegotiate());
                break;
            case 8:
                world.ConnectMedia();
                break;
            case 9 when which % 10 is 0:
                world.Pass(TimeSpan.FromSeconds(which / 20));
                break;
            case > 9 when world.Mail.Count > 0 && isOrdered:
                world.Deliver(InOrder(world, which));
                break;
            case > 9 when world.Mail.Count > 0:
                world.Deliver(which % world.Mail.Count, again: what is 19);
                break;
        }
    }

    // What is stored keeps its order from one device to another; what is ephemeral may overtake it.
    private static int InOrder(CallWorld world, int which)
    {
        var index = which % world.Mail.Count;
        var letter = world.Mail[index];
        return letter.Delivery is CallDelivery.Ephemeral
            ? index
            : world.Mail.FindIndex(one => one.From == letter.From && one.To == letter.To && one.Delivery is not CallDelivery.Ephemeral);
    }
}
