using System.Text;
using SecureChat.Client.LocalStore;

namespace SecureChat.Client.Tests.LocalStore;

/// <summary>Keys from passphrases. The values are those of the reference implementation of Argon2 (RFC 9106): <c>argon2 SALT -id -t 3 -k 65536 -p 1 -l 32</c>.</summary>
public sealed class PassphraseKeyTests
{
    [Theory]
    [InlineData("correct horse battery staple", "6a4ebe4b02cec6bcbad430e30f0d2e0c1059d5cd28e4ea46278a47308fc91210")]
    [InlineData("Gr\u00fcn und \u00c5", "46944d2223b6df5c6dab402d2a3508322f6b1a1709d7d91b4c62d1cab457ac1b")]
    public void A_passphrase_gives_the_key_that_Argon2id_gives(string passphrase, string key) =>
        Assert.Equal(key, Convert.ToHexStringLower(PassphraseKey.Derive(passphrase, Encoding.ASCII.GetBytes("saltsaltsaltsalt"))));
}
