using SecureChat.Protocol;

namespace SecureChat.Server.Abuse;

/// <summary>Keeps anonymous endpoints anonymous: a client that names itself there by mistake is told, and nothing is done.</summary>
internal static class RefuseCredentialsExtensions
{
    /// <summary>Marks an endpoint that takes no credentials.</summary>
    public sealed record Anonymous;

    public static TBuilder RefuseCredentials<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder
    {
        builder.Add(endpoint =>
        {
            var next = endpoint.RequestDelegate!;
            endpoint.Metadata.Add(new Anonymous());
            endpoint.RequestDelegate = context =>
                context.Request.Headers.Authorization.Count > 0 || context.Request.Headers.Cookie.Count > 0
                    ? Problem.From(ProtocolError.CredentialsRefused).ExecuteAsync(context)
                    : next(context);
        });
        return builder;
    }
}
