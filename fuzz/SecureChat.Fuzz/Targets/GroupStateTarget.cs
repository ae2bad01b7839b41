using SecureChat.Signal;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Primitives;

namespace SecureChat.Fuzz.Targets;

/// <summary>The encrypted state of a group, as the server hands it out, and as a member who keeps to no rule can make it.</summary>
internal static class GroupStateTarget
{
    private const int Version = 3;
    private const int Smallest = 256;
    private const int Largest = 1 << 18;

    private static readonly byte[] Group = new byte[16];
    private static readonly byte[] SecretBytes = Cast.Chance(21).Bytes(GroupSecret.Size);
    private static readonly GroupSecret Secret = new(SecretBytes);

    public static byte[] State { get; } = [1, 2, 3, 0x80, 0, 4];

    public static byte[] Genuine => Secret.Encrypt(State, Group, Version, (Smallest, Largest), Cast.Chance(22));

    public static void Run(ReadOnlySpan<byte> input) => FuzzTargets.Choose(input, Ciphertext, Padded, RoundTrip);

    private static void Ciphertext(ReadOnlySpan<byte> input) =>
        Oracle.Require(Read(input).AsSpan().SequenceEqual(State), "A state reads that was never made.");

    private static void Padded(ReadOnlySpan<byte> input)
    {
        var key = Hkdf.Derive([], SecretBytes, "secureChat group state key v1"u8, AesGcmSiv.KeySize);
        var nonce = new byte[AesGcmSiv.NonceSize];
        byte[] bound = [.. Group, 0, 0, 0, 0, 0, 0, 0, Version];
        var state = Read([.. nonce, .. AesGcmSiv.Encrypt(key, nonce, input.ToArray(), bound)]);
        Oracle.Require(input.StartsWith(state) && input[state.Length] == 0x80, "A state reads as another.");
    }

    private static void RoundTrip(ReadOnlySpan<byte> input) => Oracle.Require(
        Read(Secret.Encrypt(input, Group, Version, (Smallest, Largest), Cast.Chance(23))).AsSpan().SequenceEqual(input),
        "A state reads as another.");

    private static byte[] Read(ReadOnlySpan<byte> ciphertext) => Secret.Decrypt(ciphertext, Group, Version)
        ?? throw new SignalException(SignalError.InvalidMessage, "No state of this group.");
}
