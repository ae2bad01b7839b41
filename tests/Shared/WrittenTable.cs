using System.Runtime.CompilerServices;

namespace SecureChat.Tests;

/// <summary>A part of a document between two comments that a test writes and holds.</summary>
internal static class WrittenTable
{
    public static void Check(string path, string name, string table)
    {
        var file = Path.Combine(Root, path);
        var document = File.ReadAllText(file);
        var opening = $"<!-- {name}: written by a test; CHAT_TEST_WRITE_DOCS=1 writes it anew -->\n";
        var begin = document.IndexOf(opening, StringComparison.Ordinal) + opening.Length;
        var end = document.IndexOf($"<!-- end of {name} -->", StringComparison.Ordinal);
        var expected = string.Concat(document.AsSpan(0, begin), table, document.AsSpan(end));
        if (Environment.GetEnvironmentVariable("CHAT_TEST_WRITE_DOCS") is "1")
        {
            File.WriteAllText(file, expected);
        }

        Assert.Equal(expected, document);
    }

    /// <summary>The repository's folder.</summary>
    public static string Root { get; } = FindRoot();

    // This file is two folders below the root.
    private static string FindRoot([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}
