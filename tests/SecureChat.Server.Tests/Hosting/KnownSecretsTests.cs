using System.Security.Cryptography;
using System.Text;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Hosting;

/// <summary>The program itself, started with secrets out of somebody's example.</summary>
public sealed class KnownSecretsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-secrets-");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // As they are in examples, filled up to the length that would do.
    public static TheoryData<string> Known =>
    [
        "change_me_in_production", "change-me", "changeme", "please_replace_me", "default", "my-secret-key", "PASSWORD", "example", "sample", "test-key", "insecure",
    ];

    [Theory, MemberData(nameof(Known))]
    public async Task A6_the_program_started_with_a_known_secret_ends_with_a_sentence(string known)
    {
        var filled = Encoding.UTF8.GetBytes(known + RandomNumberGenerator.GetHexString(32));

        var (code, said) = await StartAsync($"--Secrets:IdentifierKey={Convert.ToBase64String(filled)}");

        Assert.Equal(2, code);
        Assert.StartsWith("Secrets:IdentifierKey is too short, a sample, or not random.", said, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task<(int Code, string Said)> StartAsync(string setting)
    {
        var log = Path.Combine(_folder.FullName, "log");
        File.Delete(log);
        await using var program = ChildProcess.Start(
            ["dotnet", Path.Combine(AppContext.BaseDirectory, "securechat-server.dll"), $"--Storage:DataFolder={_folder.FullName}/data", setting,
                $"--Server:Api=http://127.0.0.1:{ChildProcess.FreePort()}", $"--Server:Socket=http://127.0.0.1:{ChildProcess.FreePort()}", "--Server:Management="],
            log);
        for (var i = 0; i < 600 && !program.HasExited; i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Ct);
        }

        Assert.True(program.HasExited, "It runs.");
        return (program.ExitCode, await File.ReadAllTextAsync(log, Ct));
    }
}
