using System.Reflection;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Connection;

/// <summary>Whatever takes time can be given up.</summary>
public sealed class CancellationTests
{
    [Fact]
    public void Everything_public_that_waits_takes_a_token_last()
    {
        var waiting = typeof(ChatClient).Assembly.GetExportedTypes()
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly))
            .Where(method => !method.IsSpecialName && method.Name is not nameof(IAsyncDisposable.DisposeAsync) && Waits(method.ReturnType))
            .ToList();

        Assert.True(waiting.Count > 50, $"only {waiting.Count} methods were found");
        Assert.DoesNotContain(waiting, method => method.GetParameters() is not [.., { ParameterType: var last }] || last != typeof(CancellationToken));
    }

    [Fact]
    public async Task What_hangs_in_the_network_ends_when_it_is_given_up()
    {
        await using var world = await World.StartAsync();
        var alice = await world.PersonAsync();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(World.Ct);
        var asked = new TaskCompletionSource();
        world.Server.Network.Delay = (_, ct) =>
        {
            asked.TrySetResult();
            return Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
        };

        var asking = alice.Client.DevicesAsync(patience.Token);
        await asked.Task.WaitAsync(World.Ct);
        await patience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
    }

    private static bool Waits(Type type) =>
        typeof(Task).IsAssignableFrom(type)
        || type == typeof(ValueTask)
        || (type.IsGenericType && (type.GetGenericTypeDefinition() == typeof(ValueTask<>) || type.GetGenericTypeDefinition() == typeof(IAsyncEnumerable<>)));
}
