using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace SecureChat.Scenarios.Support;

/// <summary>The HTTP API as a foreign client sees it: plain JSON, none of the server's own types.</summary>
internal sealed class Api(Uri address) : IDisposable
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);
    private readonly HttpClient _http = new() { BaseAddress = address };

    /// <summary>Sent with every request once it is set.</summary>
    public string AccessToken
    {
        set => _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", value);
    }

    public Task<JsonElement> GetAsync(string path, CancellationToken ct) => SendAsync(HttpMethod.Get, path, null, ct);

    public Task<JsonElement> PostAsync(string path, object? body, CancellationToken ct) =>
        SendAsync(HttpMethod.Post, path, body, ct);

    public Task<JsonElement> PutAsync(string path, object body, CancellationToken ct) =>
        SendAsync(HttpMethod.Put, path, body, ct);

    public Task<JsonElement> DeleteAsync(string path, CancellationToken ct) =>
        SendAsync(HttpMethod.Delete, path, null, ct);

    /// <summary>The answer of a request that may well be refused.</summary>
    public async Task<HttpStatusCode> StatusAsync(HttpMethod method, string path, object? body, CancellationToken ct)
    {
        using var answer = await AnswerAsync(method, path, body, ct);
        return answer.StatusCode;
    }

    public void Dispose() => _http.Dispose();

    private async Task<JsonElement> SendAsync(HttpMethod method, string path, object? body, CancellationToken ct)
    {
        using var answer = await AnswerAsync(method, path, body, ct);
        var text = await answer.Content.ReadAsStringAsync(ct);
        if (!answer.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"{method} {path}: {text}", null, answer.StatusCode);
        }

        return text.Length is 0 ? default : JsonSerializer.Deserialize<JsonElement>(text);
    }

    private async Task<HttpResponseMessage> AnswerAsync(
        HttpMethod method, string path, object? body, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        request.Content = body is null ? null : JsonContent.Create(body, options: Json);
        return await _http.SendAsync(request, ct);
    }
}
