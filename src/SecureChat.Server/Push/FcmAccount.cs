using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace SecureChat.Server.Push;

/// <summary>A Google service account, from the file that Google gives.</summary>
internal sealed class FcmAccount
{
    [JsonPropertyName("project_id")]
    public required string Project { get; init; }

    [JsonPropertyName("client_email")]
    public required string Email { get; init; }

    [JsonPropertyName("private_key")]
    public required string PrivateKey { get; init; }

    [JsonPropertyName("token_uri")]
    public required Uri TokenUrl { get; init; }

    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="JsonException">A member is missing.</exception>
    /// <exception cref="ArgumentException">The key is not in PEM form.</exception>
    /// <exception cref="CryptographicException">The key is not an RSA key.</exception>
    public static FcmAccount Load(string file)
    {
        var account = JsonSerializer.Deserialize(File.ReadAllBytes(file), FcmJson.Default.FcmAccount)
            ?? throw new JsonException("The file is empty.");
        account.ReadKey().Dispose();
        return account.TokenUrl.IsAbsoluteUri ? account : throw new JsonException("token_uri is not a URL.");
    }

    public RSA ReadKey()
    {
        var key = RSA.Create();
        try
        {
            key.ImportFromPem(PrivateKey);
            return key;
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    public override string ToString() => nameof(FcmAccount);
}

/// <summary>The bodies of FCM HTTP v1 and of the OAuth 2.0 token exchange.</summary>
[JsonSourceGenerationOptions(RespectNullableAnnotations = true)]
[JsonSerializable(typeof(FcmAccount))]
[JsonSerializable(typeof(FcmAccessToken))]
internal sealed partial class FcmJson : JsonSerializerContext;

/// <summary>The answer of the token exchange. A class, not a record: nothing prints it.</summary>
internal sealed class FcmAccessToken
{
    [JsonPropertyName("access_token")]
    public required string Token { get; init; }

    /// <summary>Seconds.</summary>
    [JsonPropertyName("expires_in")]
    public required int ExpiresIn { get; init; }
}
