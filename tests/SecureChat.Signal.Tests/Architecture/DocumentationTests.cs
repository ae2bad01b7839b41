using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace SecureChat.Signal.Tests.Architecture;

/// <summary>What those read who have the package and not its source.</summary>
public sealed class DocumentationTests
{
    private const string Reasons = "F:SecureChat.Signal.SignalError.";

    [Fact]
    public void Each_reason_for_a_refusal_says_what_it_is_and_what_a_client_should_do()
    {
        var said = XDocument.Load(Path.ChangeExtension(PurityTests.Built, "xml")).Descendants("member")
            .Select(member => (Name: member.Attribute("name")!.Value, Text: member.Element("summary")?.Value ?? ""))
            .Where(member => member.Name.StartsWith(Reasons, StringComparison.Ordinal))
            .ToDictionary(member => member.Name[Reasons.Length..], member => member.Text);

        Assert.Equal(Enum.GetNames<SignalError>().Order(StringComparer.Ordinal), said.Keys.Order(StringComparer.Ordinal));
        Assert.All(said, reason => Assert.True(Regex.Count(reason.Value, @"\.(\s|$)") >= 2, reason.Key));
    }
}
