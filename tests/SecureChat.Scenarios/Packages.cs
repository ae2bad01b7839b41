using System.Diagnostics;
using System.Text.RegularExpressions;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>What others reference and install, packed and used outside of this repository.</summary>
public sealed partial class Packages : IDisposable
{
    private const string Hello = "Hello. Only you can read this.";

    private static readonly string[] Projects =
    [
        "SecureChat.Protocol", "SecureChat.Signal", "SecureChat.Client", "SecureChat.Client.Sqlite", "SecureChat.Client.KeyStore",
        "SecureChat.Server", "SecureChat.Client.Testing", "SecureChat.Cli",
    ];

    private static readonly string[] Referenced = ["SecureChat.Client", "SecureChat.Client.Sqlite", "SecureChat.Client.Testing"];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-packages-");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string Packed => Path.Combine(_folder.FullName, "packed");

    [Fact]
    public async Task The_first_message_of_the_README_comes_out_of_the_packages_and_so_does_the_command_line()
    {
        foreach (var project in Projects)
        {
            await DotnetAsync("pack", Path.Combine(WrittenTable.Root, "src", project), "-c", Configuration, "--no-build", "--output", Packed);
        }

        var app = await BuildAppAsync();
        Assert.Matches($"^[0-9a-f-]{{36}}: I read: {Regex.Escape(Hello)}$", await FirstLineAsync(app));

        var tools = Path.Combine(_folder.FullName, "tools");
        await DotnetAsync("tool", "install", "SecureChat.Cli", "--tool-path", tools, "--add-source", Packed, "--version", VersionOf("SecureChat.Cli"));
        var tool = Path.Combine(tools, "securechat");
        Assert.Contains("register", await RunAsync(tool, "--help"), StringComparison.Ordinal);
        Assert.Contains("verif", await RunAsync(tool, "demo"), StringComparison.OrdinalIgnoreCase);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    // The one that this was built in.
    private static string Configuration => new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    // What is there need not be fetched again; what is packed here goes nowhere else.
    private static string Cache =>
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } set
            ? set
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    private string VersionOf(string package) => Path.GetFileNameWithoutExtension(
        Directory.GetFiles(Packed, package + ".*.nupkg").Single(path => char.IsAsciiDigit(Path.GetFileName(path)[package.Length + 1])))[(package.Length + 1)..];

    private async Task<string> BuildAppAsync()
    {
        var app = _folder.CreateSubdirectory("app").FullName;
        var references = Referenced.Select(package => $"""<PackageReference Include="{package}" Version="{VersionOf(package)}" />""");
        await File.WriteAllTextAsync(Path.Combine(app, "App.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <RestoreAdditionalProjectSources>{Packed}</RestoreAdditionalProjectSources>
                <RestoreFallbackFolders>{Cache}</RestoreFallbackFolders>
              </PropertyGroup>
              <ItemGroup>{string.Concat(references)}</ItemGroup>
            </Project>
            """, Ct);
        await File.WriteAllTextAsync(Path.Combine(app, "Program.cs"), Sample(), Ct);
        await DotnetAsync("build", app, "--output", Path.Combine(app, "out"));
        return Path.Combine(app, "out", "App");
    }

    // As it stands in the SDK's README, but for the server, who is written to, and that somebody answers.
    private static string Sample()
    {
        var code = Block().Match(File.ReadAllText(Path.Combine(WrittenTable.Root, "src", "SecureChat.Client", "README.md"))).Groups["code"].Value;
        foreach (var (written, here) in new[]
        {
            ("using SecureChat.Client.Sqlite;", "using SecureChat.Client.Sqlite;\nusing SecureChat.Client.LocalStore;\nusing SecureChat.Client.Testing;"),
            ("var server = new ServerAddress(new Uri(args[0]));", """
                await using var fake = await FakeServer.StartAsync(TimeProvider.System, default);
                var server = fake.Address;
                await using var friend = await ChatClient.SignUpAsync(fake.OptionsFor(new MemoryStore()), SignUpProof.Invite(await fake.CreateInviteAsync(default)), default);
                await friend.ConnectAsync(default);
                _ = Task.Run(async () =>
                {
                    await foreach (var heard in friend.EventsAsync(default))
                        if (heard is MessageReceived { Message: var from }) await friend.SendAsync(from.Sender, "I read: " + from.Text, default);
                });
                """),
            ("server = server with { TrustRoots = [await ChatClient.FetchTrustRootAsync(server, new SystemNetwork(), default)] };", ""),
            ("new ChatOptions(server, store)", "fake.OptionsFor(store)"),
            ("args[1]", "await fake.CreateInviteAsync(default)"),
            ("Guid.Parse(args[2])", "friend.Account"),
        })
        {
            Assert.Contains(written, code, StringComparison.Ordinal);
            code = code.Replace(written, here, StringComparison.Ordinal);
        }

        return code;
    }

    // It goes on listening after that: it is ended.
    private async Task<string?> FirstLineAsync(string app)
    {
        using var program = Process.Start(new ProcessStartInfo("timeout", ["120", app]) { RedirectStandardOutput = true, WorkingDirectory = _folder.FullName })!;
        try
        {
            return await program.StandardOutput.ReadLineAsync(Ct);
        }
        finally
        {
            program.Kill(entireProcessTree: true);
            await program.WaitForExitAsync(CancellationToken.None);
        }
    }

    private Task<string> DotnetAsync(params string[] args) => RunAsync("dotnet", args);

    private async Task<string> RunAsync(string program, params string[] args)
    {
        var start = new ProcessStartInfo("timeout", ["300", program, .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.FullName,
        };
        start.Environment["NUGET_PACKAGES"] = Path.Combine(_folder.FullName, "cache");
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        using var process = Process.Start(start)!;
        var (said, failed) = (process.StandardOutput.ReadToEndAsync(Ct), process.StandardError.ReadToEndAsync(Ct));
        await process.WaitForExitAsync(Ct);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', args)}: {process.ExitCode}\n{await said}{await failed}");
        return await said;
    }

    [GeneratedRegex(@"^```csharp\n(?<code>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}
