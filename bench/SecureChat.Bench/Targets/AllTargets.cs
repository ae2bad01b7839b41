namespace SecureChat.Bench.Targets;

/// <summary>The servers by name.</summary>
internal static class AllTargets
{
    public static IReadOnlyList<string> Names { get; } =
        ["securechat", "securechat-aspnet", "securechat-redis", "socketio", "ejabberd"];

    public static Target Make(string name) => name switch
    {
        "securechat" => new SecureChatTarget(name, bare: true, redis: false),
        "securechat-aspnet" => new SecureChatTarget(name, bare: false, redis: false),
        "securechat-redis" => new SecureChatTarget(name, bare: true, redis: true),
        "socketio" => new SocketIoTarget(),
        "ejabberd" => new EjabberdTarget(),
        _ => throw new BenchException($"There is no server '{name}'; there are {string.Join(", ", Names)}."),
    };
}
