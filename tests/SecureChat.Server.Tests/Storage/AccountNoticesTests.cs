using Microsoft.Extensions.Logging.Abstractions;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Storage;

/// <summary>Every node hears of credentials that ended, whatever happens to its stores.</summary>
public sealed class AccountNoticesTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_that_the_store_gives_up_does_not_end_the_watch_for_ended_credentials()
    {
        await using var node = await Node.StartAsync();
        var (hot, heard) = (new OneOfMany(node.Get<IHotStore>()) { GivesUp = true }, new TaskCompletionSource<long>());
        using var notices = new AccountNotices(hot, node.Get<Database>(), node.Clock, NullLogger<AccountNotices>.Instance);
        notices.CredentialsEnded += epoch => heard.TrySetResult(epoch);
        await notices.StartAsync(Ct);

        while (hot.GivenUp == 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Ct);
        }

        hot.GivesUp = false;
        await node.Get<Database>().ExecuteAsync($"INSERT INTO ended_epochs (epoch, ended_at) VALUES ({4711L}, {node.Clock.GetUtcNow()})", Ct);
        for (var seconds = 0; seconds < 20 && !heard.Task.IsCompleted; seconds++)
        {
            node.Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(heard.Task, Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Ct));
        }

        Assert.True(heard.Task.IsCompletedSuccessfully);
        Assert.Equal(4711, await heard.Task);
        await notices.StopAsync(Ct);
    }
}
