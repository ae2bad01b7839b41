using System.Data.Common;
using System.Net.Sockets;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server;

/// <summary>Refusals as RFC 9457 problem documents.</summary>
internal static class Problem
{
    /// <param name="retryAfter">Rounded up to seconds; see <see cref="WithRetryAfter"/>.</param>
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

    /// <summary>Repeats a refusal's waiting time in the <c>Retry-After</c> header, where proxies and libraries look for it.</summary>
    public static TBuilder WithRetryAfter<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.AddEndpointFilter(async (invocation, next) =>
        {
            var result = await next(invocation);
            var inner = result is INestedHttpResult nested ? nested.Result : result as IResult;
            if (inner is ProblemHttpResult { ProblemDetails: var details }
                && details.Extensions.TryGetValue("retryAfter", out var seconds))
            {
                invocation.HttpContext.Response.Headers.RetryAfter = $"{seconds}";
            }

            return result;
        });

    /// <summary>Answers for a request that ended in an exception; nothing of the exception reaches the client.</summary>
    public static Task FromExceptionAsync(HttpContext context)
    {
        var failure = context.Features.Get<IExceptionHandlerFeature>()?.Error;
        var error = For(failure);
        if (error == ProtocolError.Unavailable && failure is not BlobsUnavailableException)
        {
            context.RequestServices.GetRequiredService<ILogger<StorageStart>>().StoreFailed(failure!.GetType().Name);
        }

        return ExecuteAsync(context, error);
    }

    /// <summary>Whether an exception is one of the server itself, so that its stack belongs into the log. A client's mistake may quote the body; a store that is away has a line of its own.</summary>
    public static bool IsOwn(Exception failure) => For(failure) == ProtocolError.Internal;

    private static ProtocolError For(Exception? failure) => failure switch
    {
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => ProtocolError.TooLarge,
        BadHttpRequestException { StatusCode: StatusCodes.Status415UnsupportedMediaType } => ProtocolError.UnsupportedMediaType,
        BadHttpRequestException => ProtocolError.Malformed,
        BlobsFullException => ProtocolError.StorageFull,
        BlobsUnavailableException or RedisException or TimeoutException or SocketException => ProtocolError.Unavailable,
        DbException { IsTransient: true } => ProtocolError.Unavailable,
        _ => ProtocolError.Internal,
    };

    /// <summary>Gives a body to a refusal that the framework answered without one.</summary>
    public static Task FromStatusAsync(HttpContext context) => ExecuteAsync(context, context.Response.StatusCode switch
    {
        StatusCodes.Status401Unauthorized => ProtocolError.Unauthorized,
        StatusCodes.Status403Forbidden => ProtocolError.Forbidden,
        StatusCodes.Status404NotFound => ProtocolError.NotFound,
        StatusCodes.Status405MethodNotAllowed => ProtocolError.MethodNotAllowed,
        StatusCodes.Status413PayloadTooLarge => ProtocolError.TooLarge,
        StatusCodes.Status415UnsupportedMediaType => ProtocolError.UnsupportedMediaType,
        StatusCodes.Status503ServiceUnavailable => ProtocolError.Unavailable,
        >= 500 => ProtocolError.Internal,
        _ => ProtocolError.Malformed,
    });

    private static Task ExecuteAsync(HttpContext context, ProtocolError error)
    {
        if (error != ProtocolError.Unavailable)
        {
            return From(error).ExecuteAsync(context);
        }

        context.Response.Headers.RetryAfter = $"{StoreIsBack.TotalSeconds}";
        return From(error, StoreIsBack).ExecuteAsync(context);
    }

    // A guess: long enough for a store that was started again.
    private static readonly TimeSpan StoreIsBack = TimeSpan.FromSeconds(5);
}
