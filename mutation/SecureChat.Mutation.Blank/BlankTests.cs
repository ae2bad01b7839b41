using SecureChat.Signal.Addresses;
using Xunit;

namespace SecureChat.Mutation.Blank;

/// <summary>Stryker does not make mutants without tests. With one that reaches next to nothing it has little else to do.</summary>
public sealed class BlankTests
{
    [Fact]
    public void ReachesNextToNothing() => Assert.True(new ProtocolAddress("a", 1).IsValid);
}
