using SecureChat.Signal.Keys;

namespace SecureChat.Signal.Tests.Support;

/// <summary>Points by which somebody would force a secret that everybody knows, after Wycheproof and RFC 7748.</summary>
public static class LowOrder
{
    /// <summary>Every u of a point whose order divides 8, and the two that can be written in a second way.</summary>
    public static TheoryData<string> Points { get; } =
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    /// <summary>What they agree on with everybody.</summary>
    public static byte[] Secret() => new byte[PrivateKey.AgreementSize];

    internal static PublicKey Key(string hex) => PublicKey.FromRaw(Convert.FromHexString(hex));

    /// <summary>Why a serialised key is refused: in a second way of writing it is no key at all.</summary>
    internal static SignalError Refusal(PublicKey low) =>
        PublicKey.TryParse(low.Serialize(), out _) ? SignalError.InvalidKey : SignalError.InvalidMessage;
}
