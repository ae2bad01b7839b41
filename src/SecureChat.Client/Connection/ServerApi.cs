using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using SecureChat.Protocol;
using SecureChat.Protocol.Messages;

namespace SecureChat.Client.Connection;

/// <summary>The HTTP API: JSON bodies by the source-generated types of the protocol, refusals as <see cref="ServerException"/>.</summary>
/// <remarks>
/// Requests with credentials and anonymous ones never share a connection: the server could link what the protocol keeps apart.
/// </remarks>
public sealed class ServerApi : IDisposable
{
    private const string ProofHeader = "SecureChat-Proof";

    private static readonly JsonSerializerOptions Json = StrictJson();

    private readonly HttpClient _named;
    private readonly HttpClient _anonymous;

    /// <summary>Opens nothing yet.</summary>
    public ServerApi(ServerAddress address, INetwork network)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(network);
        _named = new HttpClient(network.CreateHandler(anonymous: false)) { BaseAddress = address.Api };
        _anonymous = new HttpClient(network.CreateHandler(anonymous: true)) { BaseAddress = address.Api };
    }

    /// <summary>Sends a request and reads its answer.</summary>
    /// <param name="accessToken">Null: an anonymous request.</param>
    /// <param name="body">Null: none.</param>
    /// <exception cref="ServerException">The server refused.</exception>
    /// <exception cref="HttpRequestException">The server was not reached; what was asked may have been done.</exception>
    public async Task<TAnswer> SendAsync<TBody, TAnswer>(
        HttpMethod method, string path, string? accessToken, TBody? body, CancellationToken ct)
        where TBody : class
    {
        using var answer = await SendAsync(method, path, accessToken, body, ct);
        return await answer.Content.ReadFromJsonAsync(Of<TAnswer>(), ct)
            ?? throw new ServerException("unexpected", (int)answer.StatusCode, "The answer is empty.");
    }

    /// <summary>Sends a request whose answer has no body.</summary>
    /// <exception cref="ServerException">The server refused.</exception>
    /// <exception cref="HttpRequestException">The server was not reached; what was asked may have been done.</exception>
    public async Task CallAsync<TBody>(HttpMethod method, string path, string? accessToken, TBody? body, CancellationToken ct)
        where TBody : class
    {
        using var answer = await SendAsync(method, path, accessToken, body, ct);
    }

    /// <summary>Sends a request that is not JSON, and returns its answer when the head of it is there.</summary>
    /// <param name="make">Makes the request; again when the server asks for work first.</param>
    /// <param name="accessToken">Null: an anonymous request.</param>
    /// <exception cref="ServerException">The server refused.</exception>
    /// <exception cref="HttpRequestException">The server was not reached; what was asked may have been done.</exception>
    internal Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> make, string? accessToken, CancellationToken ct) =>
        SendAsync(make, accessToken, HttpCompletionOption.ResponseHeadersRead, ct);

    /// <inheritdoc/>
    public void Dispose()
    {
        _named.Dispose();
        _anonymous.Dispose();
    }

    private Task<HttpResponseMessage> SendAsync<TBody>(
        HttpMethod method, string path, string? accessToken, TBody? body, CancellationToken ct)
        where TBody : class => SendAsync(
            () => new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body, Of<TBody>()) },
            accessToken,
            HttpCompletionOption.ResponseContentRead,
            ct);

    private async Task<HttpResponseMessage> SendAsync(
        Func<HttpRequestMessage> make, string? accessToken, HttpCompletionOption until, CancellationToken ct)
    {
        try
        {
            return await SendOnceAsync(make(), accessToken, proof: null, until, ct);
        }
        catch (ServerException refused) when (refused.Work is { Difficulty: <= ProofSolver.MaxDifficulty } work)
        {
            return await SendOnceAsync(make(), accessToken, await ProofSolver.SolveAsync(work, ct), until, ct);
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(
        HttpRequestMessage request, string? accessToken, string? proof, HttpCompletionOption until, CancellationToken ct)
    {
        using var sent = request;
        if (accessToken is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", accessToken);
        }

        if (proof is not null)
        {
            request.Headers.Add(ProofHeader, proof);
        }

        var answer = await (accessToken is null ? _anonymous : _named).SendAsync(request, until, ct);
        if (answer.IsSuccessStatusCode)
        {
            return answer;
        }

        using (answer)
        {
            throw await RefusalAsync(answer, ct);
        }
    }

    private static async Task<ServerException> RefusalAsync(HttpResponseMessage answer, CancellationToken ct)
    {
        var status = (int)answer.StatusCode;
        try
        {
            await using var body = await answer.Content.ReadAsStreamAsync(ct);
            using var problem = await JsonDocument.ParseAsync(body, cancellationToken: ct);
            var root = problem.RootElement;
            return new ServerException(root.GetProperty("code").GetString()!, status, root.GetProperty("title").GetString()!)
            {
                RetryAfter = answer.Headers.RetryAfter?.Delta,
                Mismatches = root.TryGetProperty("mismatches", out var mismatches)
                    ? mismatches.Deserialize(Of<RecipientMismatch[]>()) ?? []
                    : [],
                Work = root.TryGetProperty("challenge", out var challenge)
                    ? new ProofOfWork(challenge.GetString()!, root.GetProperty("difficulty").GetInt32())
                    : null,
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            // A proxy in between, or no server of ours at all.
            return new ServerException("unexpected", status, string.Create(
                CultureInfo.InvariantCulture, $"The server answered {status} {(HttpStatusCode)status} in a form that is not the protocol's."));
        }
    }

    /// <summary>How the protocol writes a type.</summary>
    internal static JsonTypeInfo<T> Of<T>() => (JsonTypeInfo<T>)Json.GetTypeInfo(typeof(T));

    private static JsonSerializerOptions StrictJson()
    {
        var options = new JsonSerializerOptions();
        ProtocolJson.Apply(options);
        options.MakeReadOnly();
        return options;
    }
}
