using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Storage;

/// <summary>What an operator is told about a store that is not there.</summary>
public sealed class StorageStartTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Storage:Postgres", "Host=127.0.0.1;Port={0};Username=nobody;Database=none;Timeout=2", "PostgreSQL")]
    [InlineData("Storage:Redis", "127.0.0.1:{0},connectTimeout=500", "Redis")]
    public async Task A_store_that_cannot_be_reached_stops_the_start_with_its_name_and_its_setting(
        string setting, string value, string name)
    {
        var other = setting is "Storage:Redis"
            ? ("Storage:Postgres", await TemporaryServers.NewPostgresDatabaseAsync())
            : ("Storage:Redis", await TemporaryServers.NewRedisDatabaseAsync());
        var closed = string.Format(CultureInfo.InvariantCulture, value, ChildProcess.FreePort());

        var failure = await Assert.ThrowsAsync<StorageUnavailableException>(() => Node.StartAsync(
            clock: null, other, (setting, closed), ("Storage:StartPatienceSeconds", "1")));

        Assert.StartsWith(name, failure.Message, StringComparison.Ordinal);
        Assert.Contains($"Check {setting}", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("nobody", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Storage:Postgres", "PostgreSQL")]
    [InlineData("Storage:Redis", "Redis")]
    public async Task A_start_waits_for_a_store_that_comes_up_late_and_says_every_attempt(string setting, string name)
    {
        var (postgres, redis) = (await TemporaryServers.NewPostgresDatabaseAsync(), await TemporaryServers.NewRedisDatabaseAsync());
        var behind = setting is "Storage:Redis"
            ? int.Parse(redis.Split(',')[0].Split(':')[1], CultureInfo.InvariantCulture)
            : new NpgsqlConnectionStringBuilder(postgres).Port;
        await using var passage = new Passage(behind);
        var late = (setting is "Storage:Redis" ? redis : postgres).Replace(
            $"{behind}", $"{passage.Port}", StringComparison.Ordinal);
        using var logs = new LogCapture();

        var starting = Node.StartAsync(
            clock: null,
            services => services.AddSingleton<ILoggerProvider>(logs).Configure<LoggerFilterOptions>(all => all.MinLevel = LogLevel.Information),
            ("Storage:Postgres", setting is "Storage:Redis" ? postgres : late),
            ("Storage:Redis", setting is "Storage:Redis" ? late : redis));

        // Each attempt at Redis takes its client some five seconds.
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromMinutes(1));
        while (!logs.Text.Contains("Attempt 2; next in 2 s", StringComparison.Ordinal) && !starting.IsCompleted)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, patience.Token);
        }

        Assert.False(starting.IsCompleted);
        passage.Open();
        await using var node = await starting;

        Assert.Contains($"{name} ({setting}) cannot be reached: ", logs.Text, StringComparison.Ordinal);
        Assert.Contains("Attempt 1; next in 1 s", logs.Text, StringComparison.Ordinal);
        Assert.Matches($@"{name} \({setting}\) is reached at attempt [3-9]", logs.Text);
        Assert.DoesNotContain($"{passage.Port}", logs.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_queue_that_another_process_serves_stops_the_start_with_a_sentence()
    {
        await using var first = await LoopbackNode.StartAsync();

        using var second = Process.Start(new ProcessStartInfo(
            "dotnet",
            [
                Path.Combine(AppContext.BaseDirectory, "securechat-server.dll"), $"--Storage:DataFolder={first.Folder}",
                $"--Server:Api=http://127.0.0.1:{ChildProcess.FreePort()}", "--Server:Socket=", "--Server:Management=",
            ])
        { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var output = second.StandardOutput.ReadToEndAsync(Ct);
        var told = await second.StandardError.ReadToEndAsync(Ct) + await output;
        await second.WaitForExitAsync(Ct);

        Assert.Equal(3, second.ExitCode);
        Assert.Contains("is in use by another process. Only one server may use a data folder", told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_no_database_stops_the_start_with_what_to_do()
    {
        var folder = Directory.CreateTempSubdirectory("securechat-test-");
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, StorageOptions.DirectoryFile), new string('x', 8192), Ct);

        var failure = await Assert.ThrowsAsync<StorageUnavailableException>(
            () => Node.StartAsync(("Storage:DataFolder", folder.FullName)));

        Assert.Contains("Restore it from a backup", failure.Message, StringComparison.Ordinal);
        folder.Delete(recursive: true);
    }
}
