using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;

namespace SecureChat.Server;

/// <summary>Refusals as RFC 9457 problem documents.</summary>
internal static class Problem
{
    /// <param name="retryAfter">Rounded up to seconds; also in the <c>Retry-After</c> header.</param>
    /// <param name="extensions">Further members that the code's documentation names.</param>
    public static ProblemHttpResult From(
        ProtocolError error, TimeSpan? retryAfter = null, params ReadOnlySpan<(string Name, object? Value)> extensions)
    {
        var members = new Dictionary<string, object?> { ["code"] = error.Code };
        if (retryAfter is { } wait)
        {
            members["retryAfter"] = (int)Math.Ceiling(wait.TotalSeconds);
        }

        foreach (var (name, value) in extensions)
        {
            members[name] = value;
        }

        return TypedResults.Problem(statusCode: error.Status, title: error.Title, type: "about:blank", extensions: members);
    }
}
