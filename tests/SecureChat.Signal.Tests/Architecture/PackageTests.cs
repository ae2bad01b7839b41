using System.Diagnostics;
using System.IO.Compression;
using System.Reflection;
using System.Xml.Linq;
using SecureChat.Signal.Tests.Sessions;

namespace SecureChat.Signal.Tests.Architecture;

/// <summary>The library as a package for others, made of what the tests run against.</summary>
public sealed class PackageTests
{
    public static readonly string Project = Path.GetFullPath(Path.Combine(Transcript.Folder, "../../src/SecureChat.Signal"));

    public static readonly string Configuration =
        typeof(PackageTests).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_package_has_the_library_its_documentation_a_readme_and_a_licence()
    {
        var folder = Directory.CreateTempSubdirectory("package-");
        try
        {
            await PackAsync(folder.FullName);
            await using var package = await ZipFile.OpenReadAsync(Assert.Single(folder.GetFiles("*.nupkg")).FullName, Ct);
            var names = package.Entries.Select(entry => entry.FullName).ToList();
            var about = await ReadAsync(package, "SecureChat.Signal.nuspec");
            var dependencies = about.Descendants().Where(element => element.Name.LocalName == "dependency").Select(element => element.Attribute("id")!.Value);
            string Said(string name) => about.Descendants().Single(element => element.Name.LocalName == name).Value;

            Assert.Equal(
                ["lib/net10.0/SecureChat.Signal.dll", "lib/net10.0/SecureChat.Signal.xml"],
                names.Where(name => name.StartsWith("lib/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
            Assert.Contains("README.md", names);
            Assert.Equal(("MIT", "README.md"), (Said("license"), Said("readme")));
            Assert.Equal(["BouncyCastle.Cryptography"], dependencies);
            var members = (await ReadAsync(package, "lib/net10.0/SecureChat.Signal.xml")).Descendants("member").Select(member => member.Attribute("name")!.Value);
            Assert.Contains("M:SecureChat.Signal.Media.MediaEncryption.NewKey(SecureChat.Signal.RandomSource)", members);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Packs what is built already, and asks nothing of any network.</summary>
    private static async Task PackAsync(string output)
    {
        var start = new ProcessStartInfo("dotnet") { WorkingDirectory = Project, RedirectStandardOutput = true };
        foreach (var argument in (string[])["pack", "--no-build", "--no-restore", "--configuration", Configuration, "--output", output])
        {
            start.ArgumentList.Add(argument);
        }

        using var pack = Process.Start(start)!;
        var said = await pack.StandardOutput.ReadToEndAsync(Ct);
        await pack.WaitForExitAsync(Ct);
        Assert.True(pack.ExitCode == 0, said);
    }

    private static async Task<XDocument> ReadAsync(ZipArchive package, string name)
    {
        await using var content = await package.GetEntry(name)!.OpenAsync(Ct);
        return await XDocument.LoadAsync(content, LoadOptions.None, Ct);
    }
}
