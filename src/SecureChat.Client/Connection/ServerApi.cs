using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
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

    /// <summary>A server that asks for more than this is asked again then.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

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
        try
        {
            return Parse<TAnswer>(await answer.Content.ReadAsByteArrayAsync(ct));
        }
        catch (JsonException)
        {
            throw Unexpected(answer);
        }
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
        catch (ServerException refused) when (refused.Work is { } work)
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

        var answer = await AnswerAsync(accessToken is null ? _anonymous : _named, request, until, ct);
        if (answer.IsSuccessStatusCode)
        {
            return answer;
        }

        using (answer)
        {
            throw await RefusalAsync(answer, ct);
        }
    }

    private static async Task<HttpResponseMessage> AnswerAsync(
        HttpClient client, HttpRequestMessage request, HttpCompletionOption until, CancellationToken ct)
    {
        try
        {
            return await client.SendAsync(request, until, ct);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            // HttpClient's own time-out.
            throw new HttpRequestException("The server did not answer in time.", e);
        }
    }

    private static async Task<ServerException> RefusalAsync(HttpResponseMessage answer, CancellationToken ct)
    {
        try
        {
            var body = await answer.Content.ReadAsByteArrayAsync(ct);
            using var problem = JsonDocument.Parse(body);
            var root = problem.RootElement;
            return new ServerException(TextOf(root, "code"), (int)answer.StatusCode, TextOf(root, "title"))
            {
                RetryAfter = answer.Headers.RetryAfter?.Delta is { } asked ? (asked < LongestWait ? asked : LongestWait) : null,
                Mismatches = root.TryGetProperty("mismatches", out var mismatches)
                    ? Parse<RecipientMismatch[]>(JsonMarshal.GetRawUtf8Value(mismatches))
                    : [],
                Work = root.TryGetProperty("challenge", out _) ? ProofOfWork.TryRead(TextOf(root, "challenge"), root.GetProperty("difficulty").GetInt32()) : null,
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return Unexpected(answer);
        }
    }

    private static string TextOf(JsonElement root, string name) => root.GetProperty(name).GetString() ?? throw new JsonException();

    private static T Parse<T>(ReadOnlySpan<byte> json) => HasHoles(json) ? throw new JsonException() : JsonSerializer.Deserialize(json, Of<T>()) ?? throw new JsonException();

    /// <summary>Whether an element of a list is null, which a serializer takes whatever the list's type says.</summary>
    private static bool HasHoles(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        var isList = new Stack<bool>();
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray or JsonTokenType.StartObject:
                    isList.Push(reader.TokenType == JsonTokenType.StartArray);
                    break;
                case JsonTokenType.EndArray or JsonTokenType.EndObject:
                    isList.Pop();
                    break;
                case JsonTokenType.Null when isList.TryPeek(out var inList) && inList:
                    return true;
            }
        }

        return false;
    }

    // A proxy in between, or no server of ours at all.
    private static ServerException Unexpected(HttpResponseMessage answer) => new("unexpected", (int)answer.StatusCode, string.Create(
        CultureInfo.InvariantCulture,
        $"The server answered {(int)answer.StatusCode} {answer.StatusCode} in a form that is not the protocol's."));

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
