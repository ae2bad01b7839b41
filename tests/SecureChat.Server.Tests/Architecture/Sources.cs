using System.Runtime.CompilerServices;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace SecureChat.Server.Tests.Architecture;

/// <summary>The repository's own C# files, parsed.</summary>
internal static class Sources
{
    public static string Root { get; } = FindRoot();

    /// <summary>Every hand-written file under a folder, by its path from the root.</summary>
    public static IEnumerable<string> Under(string folder) => Directory
        .EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(Root, file))
        .Where(file => !file.Split('/', '\\').Any(part => part is "obj" or "bin" or "node_modules" or "Generated"));

    public static CompilationUnitSyntax Parse(string file) =>
        CSharpSyntaxTree.ParseText(File.ReadAllText(Path.Combine(Root, file))).GetCompilationUnitRoot();

    private static string FindRoot([CallerFilePath] string here = "")
    {
        var folder = new FileInfo(here).Directory;
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "SecureChat.slnx")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("These tests read the sources: run them in the repository.");
    }
}
