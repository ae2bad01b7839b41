using System.Security.Cryptography;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Groups;

/// <summary>The state of a group as the server gets it: docs/protocol/groups.md, "Format".</summary>
public sealed class GroupSecretTests : IDisposable
{
    private const int Overhead = 12 + 16;
    private const ulong Version = 0x0102030405060708;
    private static readonly (int Smallest, int Largest) Sizes = (4096, 16384);
    private readonly SeededRandom _random = new(63);
    private readonly byte[] _bytes;
    private readonly byte[] _group;
    private readonly GroupSecret _secret;

    public GroupSecretTests()
    {
        (_bytes, _group) = (_random.Bytes(GroupSecret.Size), _random.Bytes(32));
        _secret = new GroupSecret(_bytes);
    }

    public void Dispose() => _secret.Dispose();

    [Fact]
    public void A_state_is_encrypted_as_the_documentation_says()
    {
        var state = _random.Bytes(5_000);

        var encrypted = _secret.Encrypt(state, _group, Version, Sizes, new SeededRandom(5));

        var nonce = new SeededRandom(5).Bytes(12);
        byte[] padded = [.. state, 0x80, .. new byte[8192 - Overhead - 5_001]];
        byte[] bound = [.. _group, 1, 2, 3, 4, 5, 6, 7, 8];
        Assert.Equal([.. nonce, .. AesGcmSiv.Encrypt(Key("secureChat group state key v1"u8), nonce, padded, bound)], encrypted);
        Assert.Equal(state, _secret.Decrypt(encrypted, _group, Version));
        Assert.Equal(PrivateKey.Parse(Key("secureChat group key v1"u8)).PublicKey, _secret.RequestKey().PublicKey);
    }

    [Theory]
    [InlineData(0, 4096)]
    [InlineData(4096 - Overhead - 1, 4096)]
    [InlineData(4096 - Overhead, 8192)]
    [InlineData(8192 - Overhead - 1, 8192)]
    [InlineData(16384 - Overhead - 1, 16384)]
    public void Its_size_is_one_of_few(int state, int expected)
    {
        var encrypted = _secret.Encrypt(new byte[state], _group, 1, Sizes, _random);

        Assert.Equal(expected, encrypted.Length);
        Assert.Equal(new byte[state], _secret.Decrypt(encrypted, _group, 1));
    }

    [Fact]
    public void A_state_too_large_is_refused() => Assert.Equal(
        "state",
        Assert.Throws<ArgumentOutOfRangeException>(
            () => _secret.Encrypt(new byte[16384 - Overhead], _group, 1, Sizes, _random)).ParamName);

    [Fact]
    public void What_is_of_another_group_version_or_secret_or_changed_is_not_read()
    {
        using var other = new GroupSecret(_random.Bytes(GroupSecret.Size));
        var encrypted = _secret.Encrypt([1, 2, 3], _group, 1, Sizes, _random);
        byte[] changed = [.. encrypted];
        changed[^1] ^= 1;

        Assert.Null(_secret.Decrypt(encrypted, _random.Bytes(32), 1));
        Assert.Null(_secret.Decrypt(encrypted, _group, 2));
        Assert.Null(other.Decrypt(encrypted, _group, 1));
        Assert.Null(_secret.Decrypt(changed, _group, 1));
        Assert.All(Enumerable.Range(0, Overhead + 1), size => Assert.Null(_secret.Decrypt(encrypted.AsSpan(0, size), _group, 1)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0000")]
    [InlineData("010200")]
    public void A_state_without_the_end_of_its_content_is_none(string padded)
    {
        var nonce = new byte[12];
        byte[] bound = [.. _group, 0, 0, 0, 0, 0, 0, 0, 1];
        byte[] Encrypted(byte[] plaintext) =>
            [.. nonce, .. AesGcmSiv.Encrypt(Key("secureChat group state key v1"u8), nonce, plaintext, bound)];

        Assert.Null(_secret.Decrypt(Encrypted(Convert.FromHexString(padded)), _group, 1));
        Assert.Equal([1, 2], _secret.Decrypt(Encrypted([1, 2, 0x80, 0]), _group, 1));
        Assert.Empty(_secret.Decrypt(Encrypted([0x80]), _group, 1)!);
    }

    [Theory]
    [InlineData(31)]
    [InlineData(33)]
    public void A_secret_of_another_size_is_none(int size) =>
        Assert.Equal("secret", Assert.Throws<ArgumentException>(() => new GroupSecret(new byte[size])).ParamName);

    [Fact]
    public void A_secret_is_erased_with_its_holder_and_never_printed()
    {
        var secret = new GroupSecret(_random.Bytes(GroupSecret.Size));
        secret.Dispose();
        using var zeros = new GroupSecret(new byte[GroupSecret.Size]);

        Assert.Equal(zeros.RequestKey().PublicKey, secret.RequestKey().PublicKey);
        Assert.Equal(nameof(GroupSecret), secret.ToString());
    }

    private byte[] Key(ReadOnlySpan<byte> info) => HKDF.DeriveKey(HashAlgorithmName.SHA256, _bytes, 32, [], info.ToArray());
}
