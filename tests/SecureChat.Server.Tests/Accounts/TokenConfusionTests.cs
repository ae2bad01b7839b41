using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.Tokens;
using SecureChat.Server.Accounts;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Accounts;

/// <summary>Tokens that a careless verifier takes for ours (RFC 8725).</summary>
public sealed class TokenConfusionTests
{
    [Fact]
    public async Task A5_every_confused_or_forged_token_answers_401()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var bob = await Member.SignUpAsync(node, "bob@example.org");
        var forge = new Forge(node.Get<SigningKeys>().Current, ada.Session.AccessToken, node.Clock.GetUtcNow());
        var vectors = Unsigned(forge).Concat(Resigned(forge)).Concat(KeyTricks(forge)).Concat(WrongClaims(forge))
            .Concat(OtherDevices(forge, bob.Session.AccessToken)).Concat(Mangled(forge))
            .Append(("a refresh token", ada.Session.RefreshToken)).ToList();

        var accepted = new List<string>();
        foreach (var (name, token) in vectors)
        {
            using var http = node.As("x");
            http.DefaultRequestHeaders.Remove("Authorization");
            Assert.True(http.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"Bearer {token}"));
            using var answer = await http.GetAsync(new Uri("/v1/devices", UriKind.Relative), TestContext.Current.CancellationToken);
            if (await answer.OutcomeAsync() is not "401 unauthorized")
            {
                accepted.Add(name);
            }
        }

        Assert.Empty(accepted);
        Assert.InRange(vectors.Count, 30, 100);

        // The forge itself works: what it signs without a flaw is taken.
        using var control = node.As(forge.Signed());
        using var taken = await control.GetAsync(new Uri("/v1/devices", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal("200", await taken.OutcomeAsync());
    }

    [Fact]
    public async Task A5_no_key_id_makes_the_server_open_a_connection_or_a_file()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var pipe = Path.Combine(Path.GetTempPath(), $"securechat-{Guid.CreateVersion7():N}");
        using var made = Process.Start("mkfifo", [pipe]);
        await made.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, made.ExitCode);
        var forge = new Forge(node.Get<SigningKeys>().Current, ada.Session.AccessToken, node.Clock.GetUtcNow());
        var url = $"{listener.LocalEndpoint}/key";

        foreach (var kid in (string[])[$"http://{url}", $"https://{url}", $"//{url}", $"file://{pipe}", pipe, $"../../../../../../../..{pipe}", $"file:{pipe}"])
        {
            foreach (var name in (string[])["kid", "jku", "x5u", "x5c", "jwk"])
            {
                using var http = node.As(forge.Raw(header => header[name] = kid, forge.Sign, claims => claims["iss"] = "another"));
                using var answer = await http.GetAsync(new Uri("/v1/devices", UriKind.Relative), TestContext.Current.CancellationToken)
                    .WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
                Assert.Equal("401 unauthorized", await answer.OutcomeAsync());
            }
        }

        // And nobody opened the pipe: whoever does waits for somebody who writes to it.
        Assert.False(listener.Pending());
        File.Delete(pipe);
    }

    private static IEnumerable<(string Name, string Token)> Unsigned(Forge forge)
    {
        foreach (var alg in (string[])["none", "None", "NONE", "nOnE", ""])
        {
            yield return ($"alg '{alg}', no signature", forge.Raw(header => header["alg"] = alg, []));
        }

        yield return ("alg none with the old signature", forge.Raw(header => header["alg"] = "none", forge.OldSignature));
        yield return ("no alg", forge.Raw(header => header.Remove("alg"), forge.OldSignature));
        yield return ("signature removed", forge.Raw(_ => { }, []));
        yield return ("signature of zeros", forge.Raw(_ => { }, new byte[64]));
        yield return ("signature in DER", forge.Raw(_ => { }, forge.SignDer()));
    }

    private static IEnumerable<(string Name, string Token)> Resigned(Forge forge)
    {
        var point = forge.Key.ECDsa.ExportParameters(false).Q;
        yield return ("HS256 under the public key (PEM)", forge.Hmac(Encoding.ASCII.GetBytes(forge.Key.ECDsa.ExportSubjectPublicKeyInfoPem())));
        yield return ("HS256 under the public key (DER)", forge.Hmac(forge.Key.ECDsa.ExportSubjectPublicKeyInfo()));
        yield return ("HS256 under the public point", forge.Hmac([.. point.X!, .. point.Y!]));
        yield return ("HS256 under the kid", forge.Hmac(Encoding.ASCII.GetBytes(forge.Key.KeyId)));
        yield return ("HS256 under nothing", forge.Hmac([]));
        using var rsa = RSA.Create(2048);
        yield return ("RS256 under a stranger's key", forge.Raw(
            header => header["alg"] = "RS256", input => rsa.SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)));
        yield return ("RS256 with an ES256 signature", forge.Raw(header => header["alg"] = "RS256", forge.Sign));
        using var large = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        yield return ("ES384 under a stranger's key", forge.Raw(
            header => header["alg"] = "ES384", input => large.SignData(input, HashAlgorithmName.SHA384)));
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        yield return ("ES256 under a stranger's key", forge.Raw(_ => { }, input => stranger.SignData(input, HashAlgorithmName.SHA256)));
    }

    private static IEnumerable<(string Name, string Token)> KeyTricks(Forge forge)
    {
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] Sign(byte[] input) => stranger.SignData(input, HashAlgorithmName.SHA256);
        var point = stranger.ExportParameters(false).Q;
        var jwk = new JsonObject
        {
            ["kty"] = "EC",
            ["crv"] = "P-256",
            ["x"] = Base64UrlEncoder.Encode(point.X),
            ["y"] = Base64UrlEncoder.Encode(point.Y),
        };
        yield return ("a key of its own in jwk", forge.Raw(header => header["jwk"] = jwk.DeepClone(), Sign));
        yield return ("a key of its own behind jku", forge.Raw(header => header["jku"] = "https://127.0.0.1/jwks.json", Sign));
        yield return ("a key of its own behind x5u", forge.Raw(header => header["x5u"] = "https://127.0.0.1/x5u.pem", Sign));
        foreach (var kid in (string[])["../../../../dev/null", "x' OR '1'='1", "https://127.0.0.1/key", "/etc/passwd", "", "\0"])
        {
            yield return ($"kid '{kid}'", forge.Raw(header => header["kid"] = kid, Sign));
            yield return ($"kid '{kid}', well signed", forge.Raw(header => header["kid"] = kid, forge.Sign));
        }

        yield return ("no kid, well signed", forge.Raw(header => header.Remove("kid"), forge.Sign));
    }

    private static IEnumerable<(string Name, string Token)> WrongClaims(Forge forge)
    {
        var now = forge.Now.ToUnixTimeSeconds();
        yield return ("foreign issuer", forge.Signed(claims => claims["iss"] = "https://other.example"));
        yield return ("no issuer", forge.Signed(claims => claims.Remove("iss")));
        yield return ("foreign audience", forge.Signed(claims => claims["aud"] = "other"));
        yield return ("no audience", forge.Signed(claims => claims.Remove("aud")));
        yield return ("typ JWT", forge.Raw(header => header["typ"] = "JWT", forge.Sign));
        yield return ("typ of an id token", forge.Raw(header => header["typ"] = "id+jwt", forge.Sign));
        yield return ("no typ", forge.Raw(header => header.Remove("typ"), forge.Sign));
        yield return ("expired", forge.Signed(claims => claims["exp"] = now - 1));
        yield return ("expired long ago", forge.Signed(claims => claims["exp"] = 1));
        yield return ("no expiry", forge.Signed(claims => claims.Remove("exp")));
        yield return ("expiry in ten years", forge.Signed(claims => claims["exp"] = now + (10 * 365 * 86_400)));
        yield return ("expiry beyond all numbers", forge.Signed(claims => claims["exp"] = 1e300));
        yield return ("not valid yet", forge.Signed(claims => claims["nbf"] = now + 300));
    }

    private static IEnumerable<(string Name, string Token)> OtherDevices(Forge forge, string othersToken)
    {
        var others = Forge.Payload(othersToken);
        yield return ("another account", forge.Signed(claims => claims["sub"] = others["sub"]!.DeepClone()));
        yield return ("another epoch", forge.Signed(claims => claims["epoch"] = others["epoch"]!.DeepClone()));
        yield return ("another device", forge.Signed(claims => claims["dev"] = 2));
        yield return ("device 0", forge.Signed(claims => claims["dev"] = 0));
        yield return ("device 200", forge.Signed(claims => claims["dev"] = 200));
        yield return ("device as text", forge.Signed(claims => claims["dev"] = "one"));
        yield return ("no account", forge.Signed(claims => claims.Remove("sub")));
        yield return ("nil account", forge.Signed(claims => claims["sub"] = Guid.Empty.ToString()));
        yield return ("payload changed after signing", forge.Raw(_ => { }, forge.OldSignature, claims => claims["dev"] = 2));
    }

    private static IEnumerable<(string Name, string Token)> Mangled(Forge forge)
    {
        var good = forge.Signed();
        var parts = good.Split('.');
        yield return ("empty", "");
        yield return ("dots", "..");
        yield return ("two parts", $"{parts[0]}.{parts[1]}");
        yield return ("five parts", $"{good}.{parts[1]}.{parts[2]}");
        yield return ("padding", $"{good}==");
        yield return ("a bit flipped", good[..^5] + (good[^5] is 'A' ? 'B' : 'A') + good[^4..]);
        yield return ("8 KiB of claims", forge.Signed(claims => claims["filler"] = new string('x', 8192)));
        yield return ("line break", $"{parts[0]}.{parts[1]}.\t{parts[2]}");
        yield return ("not JSON", $"{Base64UrlEncoder.Encode("{")}.{Base64UrlEncoder.Encode("}")}.{parts[2]}");
        yield return ("binary", Convert.ToHexString(RandomNumberGenerator.GetBytes(200)));
    }

    /// <summary>Takes a real token apart and puts it together wrongly.</summary>
    private sealed class Forge(ECDsaSecurityKey key, string token, DateTimeOffset now)
    {
        public ECDsaSecurityKey Key => key;

        public DateTimeOffset Now => now;

        public byte[] OldSignature => Base64UrlEncoder.DecodeBytes(token.Split('.')[2]);

        public static JsonObject Payload(string token) =>
            JsonNode.Parse(Base64UrlEncoder.Decode(token.Split('.')[1]))!.AsObject();

        public byte[] Sign(byte[] input) => key.ECDsa.SignData(input, HashAlgorithmName.SHA256);

        public byte[] SignDer() => key.ECDsa.SignData(
            Encoding.ASCII.GetBytes(token[..token.LastIndexOf('.')]), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

        public string Signed(Action<JsonObject>? change = null) => Raw(_ => { }, Sign, change);

        public string Hmac(byte[] secret) => Raw(header => header["alg"] = "HS256", input => HMACSHA256.HashData(secret, input));

        public string Raw(Action<JsonObject> change, byte[] signature, Action<JsonObject>? claims = null) =>
            Raw(change, _ => signature, claims);

        public string Raw(Action<JsonObject> change, Func<byte[], byte[]> sign, Action<JsonObject>? claims = null)
        {
            var header = JsonNode.Parse(Base64UrlEncoder.Decode(token.Split('.')[0]))!.AsObject();
            var payload = Payload(token);
            change(header);
            claims?.Invoke(payload);
            var input = $"{Base64UrlEncoder.Encode(header.ToJsonString())}.{Base64UrlEncoder.Encode(payload.ToJsonString())}";
            return $"{input}.{Base64UrlEncoder.Encode(sign(Encoding.ASCII.GetBytes(input)))}";
        }
    }
}
