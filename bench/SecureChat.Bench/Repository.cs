using System.ComponentModel;
using System.Diagnostics;

namespace SecureChat.Bench;

/// <summary>Where the sources are, and what other programs say about themselves.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>The first line a program prints; empty when it fails or is not there.</summary>
    public static string FirstLine(string program, params string[] arguments)
    {
        try
        {
            var start = new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = Root,
            };
            using var process = Process.Start(start)!;
            var line = process.StandardOutput.ReadLine() ?? "";
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? line.Trim() : "";
        }
        catch (Win32Exception)
        {
            return "";
        }
    }

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "SecureChat.slnx")))
            {
                return folder.FullName;
            }
        }

        throw new BenchException("Run the generator from where it was built, inside the repository.");
    }
}
