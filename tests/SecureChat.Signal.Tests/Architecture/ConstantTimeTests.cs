using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
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
        "Primitives/FieldElement.cs", "Primitives/FieldLanes.cs", "Primitives/FieldLanes.Ladder.cs", "Primitives/MontgomeryLanes.cs",
        "Primitives/X25519.cs", "Primitives/EdwardsPoint.cs", "Primitives/EdwardsBase.cs", "Primitives/Scalar25519.cs", "Primitives/XEdDsa.cs",
        "Spqr/MlKemRing.cs", "Spqr/MlKemSampling.cs", "Spqr/IncrementalMlKem.cs",
    ];

    /// <summary>On what it may be decided which way to go, and why that says nothing about a secret.</summary>
    private static readonly Dictionary<string, string> MayBranch = new(StringComparer.Ordinal)
    {
        ["Primitives/FieldElement.cs:HighHalf:Bmi2.X64.IsSupported"] = "asks what the processor can do",
        ["Primitives/FieldElement.cs:HighHalf:ArmBase.Arm64.IsSupported"] = "asks what the processor can do",
        ["Primitives/X25519.cs:Agree:OperatingSystem.IsBrowser()"] = "asks where it runs",
        ["Primitives/X25519.cs:Agree:Avx2.IsSupported"] = "asks what the processor can do",
        ["Primitives/EdwardsPoint.cs:Finish:!withoutT"] = "whether another doubling follows is the caller's choice",
        ["Primitives/EdwardsPoint.cs:IsNeutral:_x.IsZero() && difference.IsZero()"] = "judges a public key",
        ["Primitives/Scalar25519.cs:IsReduced:limb != Order[i]"] = "judges a signature",
        ["Primitives/XEdDsa.cs:Verify:signature.Length != SignatureSize"] = "judges a signature",
        ["Primitives/XEdDsa.cs:Verify:!Scalar25519.IsReduced(s) || !EdwardsVerification.TryConvert(publicKey, "
            + "signature[^1] >> 7, edwards, out var point) || point.IsOfLowOrder()"] = "judges a signature",
        ["Primitives/XEdDsa.cs:Verify:OperatingSystem.IsBrowser()"] = "asks where it runs",
        ["Primitives/XEdDsa.cs:IsCanonical:canonical.SequenceEqual(publicKey) && EdwardsVerification.TryConvert(publicKey, 0, "
            + "edwards, out var point) && (OperatingSystem.IsBrowser() ? Ed25519.ValidatePublicKeyFull(edwards.ToArray(), 0) "
            + ": EdwardsVerification.IsOfPrimeOrder(point))"] = "judges a public key",
        ["Primitives/XEdDsa.cs:IsCanonical:OperatingSystem.IsBrowser()"] = "asks where it runs",
        ["Primitives/XEdDsa.cs:HashToScalar:size <= OneShotSize"] = "how long a message is is no secret",
        ["Spqr/MlKemSampling.cs:Matrix:filled < MlKemRing.N"] = "the matrix follows from a public seed",
        ["Spqr/MlKemSampling.cs:Matrix:first < MlKemRing.Q"] = "the matrix follows from a public seed",
        ["Spqr/MlKemSampling.cs:Matrix:second < MlKemRing.Q && filled < MlKemRing.N"] = "the matrix follows from a public seed",
        ["Spqr/MlKemSampling.cs:CompressAndEncode:held >= 8"] = "counts bits: the same number for each coefficient",
        ["Spqr/MlKemSampling.cs:TryDecode12:polynomial[i] < MlKemRing.Q && polynomial[i + 1] < MlKemRing.Q"] = "reads a public key",
        ["Spqr/IncrementalMlKem.cs:Matches:canonical && CryptographicOperations.FixedTimeEquals(HashOf(key), header[RhoSize..])"] =
            "compares parts of a public key",
    };

    /// <summary>What else a loop may be bounded by than constants, lengths and the variables of loops around it, and why.</summary>
    private static readonly Dictionary<string, string> MayBound = new(StringComparer.Ordinal)
    {
        ["Primitives/FieldElement.cs:Square:var i = 1; i < times; i++"] = "every caller writes the number down",
        ["Primitives/Scalar25519.cs:Multiply:var j = 0; j < b.Length && at < result.Length; j++, at++"] = "counts up with the loop",
        ["Primitives/Scalar25519.cs:Multiply:; at < result.Length; at++"] = "goes on counting where that loop ended",
        ["Spqr/MlKemRing.cs:MakeZetas:var exponent = exponentOf(i); exponent > 0; exponent--"] = "makes a table of constants",
        ["Spqr/MlKemSampling.cs:Matrix:var i = 0; i < ShakeRate && filled < MlKemRing.N; i += 3"] =
            "the matrix follows from a public seed",
    };

    /// <summary>What may be looked up by, besides the variables of counting loops, and why.</summary>
    private static readonly Dictionary<string, string> MayIndex = new(StringComparer.Ordinal)
    {
        ["Primitives/EdwardsBase.cs:Select:position"] = "counts up with the digits; the digit is what is secret",
        ["Primitives/FieldLanes.cs:Unpack:lane"] = "every caller writes the number down",
        ["Primitives/FieldLanes.cs:Limb:from"] = "every caller writes the number of the first bit down",
        ["Primitives/Scalar25519.cs:Multiply:at"] = "counts up with the loop",
        ["Primitives/XEdDsa.cs:HashToScalar:size"] = "how long a message is is no secret",
        ["Spqr/MlKemRing.cs:Ntt:zeta"] = "counts up, once for each block",
        ["Spqr/MlKemRing.cs:InverseNtt:zeta"] = "counts down, once for each block",
        ["Spqr/MlKemSampling.cs:Matrix:filled"] = "the matrix follows from a public seed",
        ["Spqr/MlKemSampling.cs:CompressAndEncode:written"] = "counts bytes: the same number for each coefficient",
    };

    private static readonly HashSet<string> Constants = [.. Files.SelectMany(Nodes).SelectMany(ConstantsIn)];

    private static readonly SyntaxKind[] Forbidden =
    [
        SyntaxKind.ModuloExpression, SyntaxKind.ModuloAssignmentExpression, SyntaxKind.DivideAssignmentExpression,
        SyntaxKind.DoubleKeyword, SyntaxKind.FloatKeyword,
    ];

    public static TheoryData<string> All { get; } = [.. Files];

    [Theory]
    [MemberData(nameof(All))]
    public void Nothing_branches_but_on_what_is_listed(string file) => Assert.Empty(Branches(file).Except(MayBranch.Keys));

    [Theory]
    [MemberData(nameof(All))]
    public void Every_loop_runs_as_often_as_constants_and_lengths_say_or_is_listed(string file) =>
        Assert.Empty(Bounds(file).Except(MayBound.Keys));

    [Theory]
    [MemberData(nameof(All))]
    public void Nothing_is_looked_up_but_by_the_variable_of_a_loop_or_what_is_listed(string file) =>
        Assert.Empty(Lookups(file).Except(MayIndex.Keys));

    [Theory]
    [MemberData(nameof(All))]
    public void Nothing_is_divided_but_constants_and_places(string file)
    {
        var root = Nodes(file).ToList();

        Assert.DoesNotContain(root, node => Forbidden.Contains(node.Kind()));
        Assert.DoesNotContain(root, node => node is IdentifierNameSyntax { Identifier.Text: "BigInteger" });
        foreach (var division in root.OfType<BinaryExpressionSyntax>().Where(node => node.IsKind(SyntaxKind.DivideExpression)))
        {
            Assert.All(Names(division), name => Assert.True(IsPublic(name), division.ToString()));
        }
    }

    [Fact]
    public void No_exception_is_listed_that_is_not_needed()
    {
        Assert.Empty(MayBranch.Keys.Except(Files.SelectMany(Branches)));
        Assert.Empty(MayBound.Keys.Except(Files.SelectMany(Bounds)));
        Assert.Empty(MayIndex.Keys.Except(Files.SelectMany(Lookups)));
    }

    /// <summary>What is branched on. Where a loop or a branch is left early is up to the condition around it.</summary>
    private static IEnumerable<string> Branches(string file) => Nodes(file)
        .Where(node => !IsInHeadOfFor(node) && node.Parent is not BinaryExpressionSyntax { OperatorToken.Text: "&&" or "||" })
        .Select(node => (node, Condition: ConditionOf(node)))
        .Where(branch => branch.Condition is not null)
        .Select(branch => $"{file}:{MethodOf(branch.node)}:{OneLine(branch.Condition!)}")
        .Distinct();

    private static SyntaxNode? ConditionOf(SyntaxNode node) => node switch
    {
        IfStatementSyntax branch => branch.Condition,
        WhileStatementSyntax loop => loop.Condition,
        DoStatementSyntax loop => loop.Condition,
        ConditionalExpressionSyntax choice => choice.Condition,
        SwitchStatementSyntax choice => choice.Expression,
        SwitchExpressionSyntax choice => choice.GoverningExpression,
        ConditionalAccessExpressionSyntax access => access.Expression,
        BinaryExpressionSyntax { OperatorToken.Text: "&&" or "||" or "??" } choice => choice,
        AssignmentExpressionSyntax { OperatorToken.Text: "??=" } choice => choice,
        GotoStatementSyntax jump => jump,
        CatchClauseSyntax handler => handler,
        _ => null,
    };

    /// <summary>The heads of loops in which there is more than constants, lengths and loops' variables, or that change one inside.</summary>
    private static IEnumerable<string> Bounds(string file) => Nodes(file).OfType<ForStatementSyntax>()
        .Where(loop => loop.ChildNodes().Where(node => node != loop.Statement).Any(head => !Names(head).All(IsPublic))
            || loop.Condition is null
            || Assigned(loop.Statement).Any(name => IsVariableOf(loop, name)))
        .Select(loop => $"{file}:{MethodOf(loop)}:{OneLine(loop.Declaration)}; {OneLine(loop.Condition)}; "
            + string.Join(", ", loop.Incrementors.Select(OneLine)))
        .Distinct();

    private static IEnumerable<string> Lookups(string file) => Nodes(file)
        .SelectMany(node => node switch
        {
            ElementAccessExpressionSyntax access => Names(access.ArgumentList),
            InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: "Slice" or "AsSpan" } } cut =>
                Names(cut.ArgumentList),
            _ => [],
        })
        .Where(name => !IsPublic(name))
        .Select(name => $"{file}:{MethodOf(name)}:{name.Identifier.Text}")
        .Distinct();

    private static IEnumerable<IdentifierNameSyntax> Names(SyntaxNode node) =>
        node.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>().Where(name => !name.IsVar);

    private static IEnumerable<string> Assigned(SyntaxNode node) => node.DescendantNodes()
        .Select(inner => inner switch
        {
            AssignmentExpressionSyntax assignment => assignment.Left,
            PrefixUnaryExpressionSyntax { OperatorToken.Text: "++" or "--" } step => step.Operand,
            PostfixUnaryExpressionSyntax { OperatorToken.Text: "++" or "--" } step => step.Operand,
            ArgumentSyntax { RefKindKeyword.RawKind: not 0 } argument => argument.Expression,
            _ => null,
        })
        .OfType<IdentifierNameSyntax>()
        .Select(name => name.Identifier.Text);

    /// <summary>Whether a name stands for a constant, a length or the variable of a loop around it.</summary>
    private static bool IsPublic(IdentifierNameSyntax name) =>
        Constants.Contains(name.Identifier.Text)
        || name.Ancestors().OfType<ForStatementSyntax>().Any(loop => IsVariableOf(loop, name.Identifier.Text))
        || (name.Parent is MemberAccessExpressionSyntax member
            && (member.Name.Identifier.Text == "Length" || Constants.Contains(member.Name.Identifier.Text)));

    private static bool IsVariableOf(ForStatementSyntax loop, string name) =>
        loop.Declaration?.Variables.Any(variable => variable.Identifier.Text == name) == true;

    private static bool IsInHeadOfFor(SyntaxNode node) => node.AncestorsAndSelf()
        .Any(inner => inner.Parent is ForStatementSyntax loop && inner != loop.Statement);

    private static IEnumerable<string> ConstantsIn(SyntaxNode node) => node switch
    {
        FieldDeclarationSyntax field when field.Modifiers.Any(SyntaxKind.ConstKeyword) => NamesOf(field.Declaration),
        LocalDeclarationStatementSyntax { IsConst: true } local => NamesOf(local.Declaration),
        _ => [],
    };

    private static IEnumerable<string> NamesOf(VariableDeclarationSyntax declaration) =>
        declaration.Variables.Select(variable => variable.Identifier.Text);

    private static string MethodOf(SyntaxNode node) =>
        node.Ancestors().OfType<MethodDeclarationSyntax>().FirstOrDefault()?.Identifier.Text ?? "(member)";

    private static string OneLine(SyntaxNode? node) =>
        string.Join(' ', (node?.ToString() ?? "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static IEnumerable<SyntaxNode> Nodes(string file) => CSharpSyntaxTree
        .ParseText(File.ReadAllText(Path.Combine(Transcript.Folder, "../../src/SecureChat.Signal", file)))
        .GetRoot().DescendantNodes();
}
