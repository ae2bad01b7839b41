using SecureChat.Client.LocalStore;

namespace SecureChat.Client.Tests.Support;

/// <summary>Groups of people in a <see cref="World"/>.</summary>
internal static class GroupWorld
{
    /// <summary>Alice, and two whom she has talked with.</summary>
    public static async Task<(Person Alice, Person Bob, Person Carol)> ThreeAsync(this World world)
    {
        var (alice, bob) = await world.FriendsAsync();
        var carol = await world.PersonAsync();
        await alice.SendAsync(carol, "hi carol");
        await carol.TextAsync("hi carol");
        await carol.SendAsync(alice, "hi alice");
        await alice.TextAsync("hi alice");
        return (alice, bob, carol);
    }

    /// <summary>A group whose first member is its admin, and which all of them know.</summary>
    public static async Task<Guid> GroupAsync(this World world, Person admin, params Person[] others)
    {
        var group = await admin.Client.CreateGroupAsync("Friends", [.. others.Select(other => other.Account)], World.Ct);
        await world.AgreeAsync(group.Id, 1, others);
        return group.Id;
    }

    /// <summary>Waits until people have a version of a group's state.</summary>
    public static Task AgreeAsync(this World world, Guid group, ulong version, params Person[] people) => world.UntilAsync(
        async () =>
        {
            foreach (var person in people)
            {
                if (await person.Client.FindGroupAsync(group, World.Ct) is not { } seen || seen.Version < version)
                {
                    return false;
                }
            }

            return true;
        });

    /// <summary>What somebody's device keeps of a group.</summary>
    public static async Task<GroupRecord> RecordAsync(this Person person, Guid group) =>
        (await new StoreTransaction(person.Options.Store).ReadAsync(Tables.Groups, Tables.Hex(group.ToBytes()), World.Ct))!;
}
