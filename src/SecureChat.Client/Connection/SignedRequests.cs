using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Signal;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Connection;

/// <summary>Requests that a key signs instead of an account, on connections without credentials. Spec: docs/protocol/signed-requests.md.</summary>
internal sealed class SignedRequests(ServerApi api, PrivateKey key, TimeProvider time)
{
    /// <summary>The key that a secret of 32 bytes stands for; the caller disposes it.</summary>
    public static PrivateKey KeyOf(ReadOnlySpan<byte> secret, ReadOnlySpan<byte> purpose)
    {
        var derived = new byte[PrivateKey.SerializedSize];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, derived, [], purpose);
        var made = PrivateKey.Parse(derived);
        CryptographicOperations.ZeroMemory(derived);
        return made;
    }

    public byte[] PublicKey => key.PublicKey.Serialize();

    /// <exception cref="ServerException">The server refused.</exception>
    /// <exception cref="HttpRequestException">The server was not reached; what was asked may have been done.</exception>
    public async Task<TAnswer> GetAsync<TAnswer>(string target, CancellationToken ct)
    {
        using var answer = await SendAsync(HttpMethod.Get, target, [], null, ct);
        return await answer.Content.ReadFromJsonAsync(ServerApi.Of<TAnswer>(), ct)
            ?? throw new ServerException("unexpected", (int)answer.StatusCode, "The answer is empty.");
    }

    /// <inheritdoc cref="GetAsync"/>
    public async Task<byte[]> GetBytesAsync(string target, CancellationToken ct)
    {
        using var answer = await SendAsync(HttpMethod.Get, target, [], null, ct);
        return await answer.Content.ReadAsByteArrayAsync(ct);
    }

    /// <inheritdoc cref="GetAsync"/>
    public Task PutAsync<TBody>(string target, TBody body, CancellationToken ct) => SendJsonAsync(HttpMethod.Put, target, body, ct);

    /// <inheritdoc cref="GetAsync"/>
    public Task PostAsync<TBody>(string target, TBody body, CancellationToken ct) => SendJsonAsync(HttpMethod.Post, target, body, ct);

    /// <inheritdoc cref="GetAsync"/>
    public async Task PutBytesAsync(string target, byte[] body, CancellationToken ct)
    {
        using var answer = await SendAsync(HttpMethod.Put, target, body, "application/octet-stream", ct);
    }

    /// <inheritdoc cref="GetAsync"/>
    public async Task DeleteAsync(string target, CancellationToken ct)
    {
        using var answer = await SendAsync(HttpMethod.Delete, target, [], null, ct);
    }

    private async Task SendJsonAsync<TBody>(HttpMethod method, string target, TBody body, CancellationToken ct)
    {
        using var json = JsonContent.Create(body, ServerApi.Of<TBody>());
        using var answer = await SendAsync(method, target, await json.ReadAsByteArrayAsync(ct), "application/json", ct);
    }

    private Task<HttpResponseMessage> SendAsync(HttpMethod method, string target, byte[] body, string? contentType, CancellationToken ct) => api.SendAsync(
        () =>
        {
            var request = new HttpRequestMessage(method, target);
            if (contentType is not null)
            {
                request.Content = new ByteArrayContent(body);
                request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
            }

            // Signed anew for every attempt: the server takes a signature of a change once.
            var at = time.GetUtcNow().ToUnixTimeSeconds();
            var signature = key.Sign(RequestSignature.Message(method.Method, target, at, body), RandomSource.System);
            request.Headers.Add(RequestSignature.Header, new RequestSignature(PublicKey, at, signature).ToString());
            return request;
        },
        accessToken: null,
        ct);
}
