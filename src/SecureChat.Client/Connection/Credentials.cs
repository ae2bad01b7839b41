using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Accounts;

namespace SecureChat.Client.Connection;

/// <summary>The device's tokens: fresh whenever one is asked for. Spec: docs/protocol/accounts.md#tokens.</summary>
internal sealed class Credentials(ILocalStore store, ServerApi api, TimeProvider time) : IDisposable
{
    /// <summary>A token is replaced so long before its end: a request that is under way must not outlive it.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromMinutes(1);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private CredentialsRecord? _current;

    /// <summary>The row that keeps what a sign-up, a link or a refresh answered.</summary>
    public static CredentialsRecord Of(Session session, DateTimeOffset now) => new()
    {
        AccessToken = session.AccessToken,
        AccessExpires = (now + TimeSpan.FromSeconds(Math.Max(0, session.ExpiresIn))).Milliseconds(),
        RefreshToken = session.RefreshToken,
    };

    /// <summary>An access token that is good for some time yet.</summary>
    /// <param name="refused">One that the server does not take any more, whatever its time says.</param>
    /// <exception cref="SignedOutException">The device's credentials have ended.</exception>
    public async Task<string> TokenAsync(string? refused, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            var now = time.GetUtcNow();
            _current ??= CredentialsRecord.Parser.ParseFrom(
                await store.ReadAsync(Tables.Credentials.Name, Tables.Only, ct) ?? throw new SignedOutException());
            if (_current.AccessToken == refused || now + Margin >= _current.AccessExpires.ToTime())
            {
                var session = await RefreshAsync(_current.RefreshToken, ct);
                var next = Of(session, now);

                // Kept before it is used: an old refresh token that is used later counts as stolen.
                await store.CommitAsync([new RowChange(Tables.Credentials.Name, Tables.Only, Google.Protobuf.MessageExtensions.ToByteArray(next))], CancellationToken.None);
                _current = next;
            }

            return _current.AccessToken;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Runs a request with a token; once more with a fresh one if the server refuses it.</summary>
    public async Task<T> WithTokenAsync<T>(Func<string, Task<T>> request, CancellationToken ct)
    {
        var token = await TokenAsync(refused: null, ct);
        try
        {
            return await request(token);
        }
        catch (ServerException refused) when (refused.Code is "unauthorized")
        {
            return await request(await TokenAsync(token, ct));
        }
    }

    public void Dispose() => _turn.Dispose();

    private async Task<Session> RefreshAsync(string refreshToken, CancellationToken ct)
    {
        try
        {
            return await api.SendAsync<Refresh, Session>(
                HttpMethod.Post, "/v1/auth/refresh", null, new Refresh(refreshToken), ct);
        }
        catch (ServerException refused) when (refused.Code is "unauthorized")
        {
            throw new SignedOutException();
        }
    }
}
