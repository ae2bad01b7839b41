using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Sessions;

namespace SecureChat.Signal.Tests.Architecture;

/// <summary>
/// The arithmetic on secrets that is the library's own takes the same steps whatever the secret: it branches on nothing, looks
/// nothing up by it, and leaves division to the multiplier.
/// </summary>
public sealed class ConstantTimeTests
{
    private static readonly string[] Files =
    [
        "Primitives/FieldElement.cs", "Primitives/X25519.cs", "Primitives/EdwardsPoint.cs", "Primitives/EdwardsBase.cs",
        "Primitives/Scalar25519.cs",
        "Spqr/MlKemRing.cs", "Spqr/MlKemSampling.cs", "Spqr/IncrementalMlKem.cs",
    ];

    /// <summary>What may branch, and why that says nothing about a secret.</summary>
    private static readonly Dictionary<string, string> MayBranch = new(StringComparer.Ordinal)
    {
        ["Primitives/FieldElement.cs:HighHalf"] = "asks what the processor can do",
        ["Primitives/X25519.cs:Agree"] = "asks where it runs",
        ["Primitives/EdwardsPoint.cs:Finish"] = "whether another doubling follows is the caller's choice",
        ["Primitives/EdwardsPoint.cs:IsNeutral"] = "judges a public key",
        ["Primitives/Scalar25519.cs:IsReduced"] = "judges a signature",
        ["Primitives/Scalar25519.cs:Multiply"] = "ends at the sizes of its operands",
        ["Spqr/MlKemSampling.cs:Matrix"] = "the matrix follows from a public seed",
        ["Spqr/MlKemSampling.cs:CompressAndEncode"] = "counts bits: the same number for each coefficient",
        ["Spqr/MlKemSampling.cs:TryDecode12"] = "reads a public key",
        ["Spqr/IncrementalMlKem.cs:Matches"] = "compares parts of a public key",
    };

    /// <summary>What may be looked up by, besides the variables of counting loops, and why.</summary>
    private static readonly Dictionary<string, string> MayIndex = new(StringComparer.Ordinal)
    {
        ["Primitives/Scalar25519.cs:Multiply:at"] = "counts up with the loop",
        ["Spqr/MlKemRing.cs:Ntt:zeta"] = "counts up, once for each block",
        ["Spqr/MlKemRing.cs:InverseNtt:zeta"] = "counts down, once for each block",
        ["Spqr/MlKemSampling.cs:Matrix:filled"] = "the matrix follows from a public seed",
        ["Spqr/MlKemSampling.cs:CompressAndEncode:written"] = "counts bytes: the same number for each coefficient",
    };

    private static readonly SyntaxKind[] Forbidden =
    [
        SyntaxKind.ModuloExpression, SyntaxKind.ModuloAssignmentExpression, SyntaxKind.DivideAssignmentExpression,
        SyntaxKind.DoubleKeyword, SyntaxKind.FloatKeyword,
    ];

    public static TheoryData<string> All { get; } = [.. Files];

    [Theory]
    [MemberData(nameof(All))]
    public void Nothing_branches_but_what_is_listed(string file)
    {
        var branching = Nodes(file).Where(IsBranch).Select(node => $"{file}:{MethodOf(node)}").Distinct();

        Assert.Empty(branching.Except(MayBranch.Keys));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Nothing_is_looked_up_but_by_the_variable_of_a_loop_or_what_is_listed(string file)
    {
        var root = Nodes(file).ToList();
        var lookups = root.OfType<ElementAccessExpressionSyntax>()
            .SelectMany(access => access.ArgumentList.DescendantNodes().OfType<IdentifierNameSyntax>()
                .Where(name => !IsCounted(name) && !IsConstant(root, name.Identifier.Text))
                .Select(name => $"{file}:{MethodOf(access)}:{name.Identifier.Text}"))
            .Distinct();

        Assert.Empty(lookups.Except(MayIndex.Keys));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Nothing_is_divided_but_constants_and_places(string file)
    {
        var root = Nodes(file).ToList();

        Assert.DoesNotContain(root, node => Forbidden.Contains(node.Kind()));
        Assert.DoesNotContain(root, node => node is IdentifierNameSyntax { Identifier.Text: "BigInteger" });
        foreach (var division in root.OfType<BinaryExpressionSyntax>().Where(node => node.IsKind(SyntaxKind.DivideExpression)))
        {
            Assert.All(
                division.DescendantNodes().OfType<IdentifierNameSyntax>(),
                name => Assert.True(IsCounted(name) || IsConstant(root, name.Identifier.Text), division.ToString()));
        }
    }

    [Fact]
    public void No_exception_is_listed_that_is_not_needed()
    {
        var known = Files
            .SelectMany(file => Nodes(file).OfType<MethodDeclarationSyntax>().Select(method => $"{file}:{method.Identifier.Text}"))
            .ToHashSet();

        Assert.Empty(MayBranch.Keys.Except(known));
        Assert.Empty(MayIndex.Keys.Select(key => key[..key.LastIndexOf(':')]).Except(known));
    }

    private static bool IsBranch(SyntaxNode node) => node is IfStatementSyntax or WhileStatementSyntax or DoStatementSyntax
        or SwitchStatementSyntax or SwitchExpressionSyntax or ConditionalExpressionSyntax or GotoStatementSyntax
        or BreakStatementSyntax or ContinueStatementSyntax
        || node.IsKind(SyntaxKind.LogicalAndExpression) || node.IsKind(SyntaxKind.LogicalOrExpression);

    private static bool IsCounted(IdentifierNameSyntax name) => name.Ancestors().OfType<ForStatementSyntax>().Any(loop =>
        loop.Declaration?.Variables.Any(variable => variable.Identifier.Text == name.Identifier.Text) == true);

    private static bool IsConstant(List<SyntaxNode> root, string name) => root.Any(node =>
        (node is FieldDeclarationSyntax field && field.Modifiers.Any(SyntaxKind.ConstKeyword)
            && field.Declaration.Variables.Any(variable => variable.Identifier.Text == name))
        || (node is LocalDeclarationStatementSyntax { IsConst: true } local
            && local.Declaration.Variables.Any(variable => variable.Identifier.Text == name)))
        || name is nameof(MlKemRing) or nameof(MlKemRing.N) or nameof(MlKemRing.Q);

    private static string MethodOf(SyntaxNode node) =>
        node.Ancestors().OfType<MethodDeclarationSyntax>().FirstOrDefault()?.Identifier.Text ?? "(member)";

    private static IEnumerable<SyntaxNode> Nodes(string file) => CSharpSyntaxTree
        .ParseText(File.ReadAllText(Path.Combine(Transcript.Folder, "../../src/SecureChat.Signal", file)))
        .GetRoot().DescendantNodes();
}
