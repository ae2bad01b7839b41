using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;
using StackExchange.Redis;

namespace SecureChat.Server.Tests.Storage;

/// <summary>What is logged of a Redis that does not answer.</summary>
public sealed class RedisFailureTests
{
    [Fact]
    public async Task A_failure_does_not_say_which_queue_it_met()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var redis = await TemporaryRedis.StartAsync(ct);
        await using var node = await Node.StartAsync(
            clock: null, ("Storage:Postgres", await TemporaryServers.NewPostgresDatabaseAsync()), ("Storage:Redis", redis.ConnectionString + ",asyncTimeout=500"));
        var account = Guid.CreateVersion7();
        await redis.FallSilentAsync(ct);

        var failure = await Assert.ThrowsAnyAsync<Exception>(() => node.Get<IMessageQueue>().ReadAsync(new DeviceAddress(account, 1), 0, 1, ct));

        Assert.IsType<RedisTimeoutException>(failure);
        Assert.DoesNotContain(
            Convert.ToHexStringLower(SHA256.HashData(account.ToByteArray(bigEndian: true)))[..16], failure.ToString(), StringComparison.Ordinal);
    }
}
