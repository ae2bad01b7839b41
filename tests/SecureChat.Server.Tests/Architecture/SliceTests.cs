using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace SecureChat.Server.Tests.Architecture;

/// <summary>Which slice of the server may know which. A new edge is a decision: change the table on purpose.</summary>
public sealed class SliceTests
{
    private static readonly Dictionary<string, string[]> MayKnow = new()
    {
        ["Hosting"] = ["Storage", "Abuse"],
        ["Storage"] = ["Hosting"],
        // It says what all others hold.
        ["Health"] = ["Push", "Storage", "Abuse", "Hosting"],
        ["Abuse"] = ["Storage", "Hosting"],
        ["Accounts"] = ["Abuse", "Storage", "Hosting"],
        ["Keys"] = ["Accounts", "Abuse", "Storage", "Hosting"],
        ["Connections"] = ["Accounts", "Abuse", "Storage", "Hosting"],
        ["Push"] = ["Accounts", "Abuse", "Storage", "Hosting"],
        ["Media"] = ["Accounts", "Abuse", "Storage", "Hosting"],
        ["Senders"] = ["Accounts", "Abuse", "Storage", "Hosting"],

        // No edge to Accounts: they cannot know whose a group or a backup is.
        ["Groups"] = ["Abuse", "Storage", "Hosting"],
        ["Backups"] = ["Abuse", "Storage", "Hosting"],
        ["CallDemo"] = ["Media", "Abuse"],
        ["Calls"] = ["Connections", "Abuse", "Storage", "Hosting"],
        ["Messages"] = ["Senders", "Connections", "Accounts", "Abuse", "Storage", "Hosting"],
    };

    public static TheoryData<string> Slices => [.. MayKnow.Keys];

    [Theory, MemberData(nameof(Slices))]
    public void A_slice_knows_only_the_slices_it_may(string slice)
    {
        var known = Sources.Under($"src/SecureChat.Server/{slice}").SelectMany(SlicesNamedIn).Distinct();

        Assert.Empty(known.Except([slice, .. MayKnow[slice]]));
    }

    [Fact]
    public void Every_folder_of_the_server_is_in_the_table()
    {
        var folders = new DirectoryInfo(Path.Combine(Sources.Root, "src/SecureChat.Server")).GetDirectories()
            .Select(folder => folder.Name)
            .Where(name => name is not ("obj" or "bin" or "Properties" or "data"));

        Assert.Equal(MayKnow.Keys.Order(), folders.Order());
    }

    private static IEnumerable<string> SlicesNamedIn(string file) => Sources.Parse(file)
        .DescendantNodes()
        .Select(node => node switch
        {
            UsingDirectiveSyntax { Name: { } name } => name.ToString(),
            QualifiedNameSyntax name => name.ToString(),
            MemberAccessExpressionSyntax member => "SecureChat.Server." + member.Expression,
            _ => "",
        })
        .Where(name => name.StartsWith("SecureChat.Server.", StringComparison.Ordinal))
        .Select(name => name.Split('.')[2])
        .Where(MayKnow.ContainsKey);
}
