namespace SecureChat.Bench.Targets;

/// <summary>The servers by name.</summary>
internal static class AllTargets
{
    public static IReadOnlyList<string> Names { get; } = ["socketio", "ejabberd"];

    public static Target Make(string name) => name switch
    {
        "socketio" => new SocketIoTarget(),
        "ejabberd" => new EjabberdTarget(),
        _ => throw new BenchException($"There is no server '{name}'; there are {string.Join(", ", Names)}."),
    };
}
