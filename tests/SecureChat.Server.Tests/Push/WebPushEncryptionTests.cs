using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using SecureChat.Server.Push;
using SecureChat.Server.Tests.Architecture;

namespace SecureChat.Server.Tests.Push;

public sealed class WebPushEncryptionTests
{
    [Fact]
    public void The_example_of_RFC_8291_comes_out_byte_for_byte()
    {
        var receiver = Base64Url.DecodeFromChars(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        var senderPoint = Base64Url.DecodeFromChars(
            "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8");
        using var sender = ECDiffieHellman.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            D = Base64Url.DecodeFromChars("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
            Q = new ECPoint { X = senderPoint[1..33], Y = senderPoint[33..] },
        });

        var body = WebPushEncryption.Encrypt(
            Encoding.UTF8.GetBytes("When I grow up, I want to be a watermelon"),
            receiver,
            Base64Url.DecodeFromChars("BTBZMqHH6r4Tts7J_aSIgg"),
            sender,
            Base64Url.DecodeFromChars("DGv6ra1nlYgDCS1FRnbzlw"));

        Assert.Equal(
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
            + "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
            Base64Url.EncodeToString(body));
    }

    [Fact]
    public void What_http_ece_encrypts_comes_out_byte_for_byte()
    {
        using var file = JsonDocument.Parse(File.ReadAllText(Path.Combine(Sources.Root, "vectors/push/web-push.json")));
        var vectors = file.RootElement.EnumerateArray().ToList();
        Assert.NotEmpty(vectors);

        foreach (var vector in vectors)
        {
            byte[] Bytes(string name) => Base64Url.DecodeFromChars(vector.GetProperty(name).GetString());
            var point = Bytes("senderPublicKey");
            using var sender = ECDiffieHellman.Create(new ECParameters
            {
                Curve = ECCurve.NamedCurves.nistP256,
                D = Bytes("senderPrivateKey"),
                Q = new ECPoint { X = point[1..33], Y = point[33..] },
            });

            var body = WebPushEncryption.Encrypt(
                Encoding.UTF8.GetBytes(vector.GetProperty("message").GetString()!), Bytes("p256dh"), Bytes("auth"), sender, Bytes("salt"));

            Assert.Equal(Bytes("body"), body);
        }
    }

    [Fact]
    public void Two_messages_to_one_receiver_have_nothing_in_common_but_their_size()
    {
        using var receiver = new Receiver();
        var (p256dh, auth) = (Base64Url.DecodeFromChars(receiver.Keys.P256dh), Base64Url.DecodeFromChars(receiver.Keys.Auth));

        var (one, other) = (WebPushEncryption.Encrypt([], p256dh, auth), WebPushEncryption.Encrypt([], p256dh, auth));

        Assert.Empty(receiver.Decrypt(one));
        Assert.Equal(one.Length, other.Length);
        Assert.NotEqual(one[..16], other[..16]);
        Assert.NotEqual(one[21..86], other[21..86]);
    }

    [Fact]
    public void Bytes_that_are_no_point_of_the_curve_are_refused()
    {
        Assert.ThrowsAny<CryptographicException>(() => WebPushEncryption.PublicKey([0x04, .. new byte[64]]));
        Assert.ThrowsAny<CryptographicException>(() => WebPushEncryption.PublicKey([0x04, .. Enumerable.Repeat((byte)7, 64)]));
        Assert.ThrowsAny<CryptographicException>(() => WebPushEncryption.PublicKey(new byte[65]));
    }
}
