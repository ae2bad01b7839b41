using System.Net.Http.Json;
using SecureChat.Protocol;
using SecureChat.Signal;
using SecureChat.Signal.Keys;

namespace SecureChat.Server.Tests.Support;

/// <summary>Somebody who has a secret and no account: signs requests with its key.</summary>
internal sealed class KeyHolder(HttpClient http, TimeProvider time)
{
    private readonly PrivateKey _key = PrivateKey.Generate(RandomSource.System);

    public byte[] PublicKey => _key.PublicKey.Serialize();

    public Task<HttpResponseMessage> GetAsync(string target) => SendAsync(Request(HttpMethod.Get, target, []));

    public Task<HttpResponseMessage> DeleteAsync(string target) => SendAsync(Request(HttpMethod.Delete, target, []));

    public Task<HttpResponseMessage> PutBytesAsync(string target, byte[] body) => SendAsync(Request(HttpMethod.Put, target, body));

    public async Task<HttpResponseMessage> SendAsync<T>(HttpMethod method, string target, T body) =>
        await SendAsync(await RequestAsync(method, target, body));

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request) =>
        http.SendAsync(request, TestContext.Current.CancellationToken);

    public async Task<HttpRequestMessage> RequestAsync<T>(HttpMethod method, string target, T body)
    {
        using var json = JsonContent.Create(body, options: Node.Json);
        return Request(method, target, await json.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    public HttpRequestMessage Request(HttpMethod method, string target, byte[] body, TimeSpan clockOff = default)
    {
        var request = new HttpRequestMessage(method, target) { Content = body.Length is 0 ? null : new ByteArrayContent(body) };
        var at = (time.GetUtcNow() + clockOff).ToUnixTimeSeconds();
        var signature = _key.Sign(RequestSignature.Message(method.Method, target, at, body), RandomSource.System);
        request.Headers.Add(RequestSignature.Header, new RequestSignature(PublicKey, at, signature).ToString());
        return request;
    }
}
