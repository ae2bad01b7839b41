using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.TestHost;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Attacks;

/// <summary>Somebody whose network address the test chooses, straight at the server's pipeline.</summary>
internal static class Attacker
{
    /// <returns>The status that it was answered.</returns>
    public static async Task<int> SendFromAsync(
        this Node node, string address, string method, string path, byte[]? json = null, string? token = null)
    {
        var context = await ((TestServer)node.Get<IServer>()).SendAsync(
            request =>
            {
                request.Connection.RemoteIpAddress = IPAddress.Parse(address);
                request.Connection.LocalPort = 8080;
                (request.Request.Method, request.Request.Path) = (method, path);
                if (token is not null)
                {
                    request.Request.Headers.Authorization = $"Bearer {token}";
                }

                if (json is not null)
                {
                    request.Features.Set<IHttpRequestBodyDetectionFeature>(new Body());
                    request.Request.ContentType = "application/json";
                    request.Request.ContentLength = json.Length;
                    request.Request.Body = new MemoryStream(json);
                }
            },
            TestContext.Current.CancellationToken);
        return context.Response.StatusCode;
    }

    public static byte[] Json<T>(T body) => JsonSerializer.SerializeToUtf8Bytes(body, Node.Json);

    /// <summary>All that an answer shows: status, headers but the date, and body.</summary>
    public static async Task<string> SeenAsync(this HttpResponseMessage answer)
    {
        var headers = answer.Headers.Concat(answer.Content.Headers).Where(header => header.Key is not "Date")
            .OrderBy(header => header.Key, StringComparer.Ordinal).Select(header => $"{header.Key}: {string.Join(',', header.Value)}");
        return $"{(int)answer.StatusCode}\n{string.Join('\n', headers)}\n{await answer.TextAsync()}";
    }

    private sealed class Body : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody => true;
    }
}
