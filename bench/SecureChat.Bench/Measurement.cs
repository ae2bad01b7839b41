namespace SecureChat.Bench;

/// <summary>What one run of one scenario against one server showed.</summary>
internal sealed record Measurement
{
    public required string Target { get; init; }

    /// <summary>For example <c>relay 400x1</c>.</summary>
    public required string Scenario { get; init; }

    /// <summary>What was measured within the same seconds has the same.</summary>
    public int Round { get; init; }

    /// <summary>Messages that the server accepted, per second.</summary>
    public double Accepted { get; init; }

    /// <summary>Messages accepted, delivered and acknowledged, per second.</summary>
    public double Complete { get; init; }

    /// <summary>Milliseconds from sending (or from when sending was due) to the recipient's application.</summary>
    public double P50 { get; init; }

    public double P99 { get; init; }

    /// <summary>CPU microseconds of the server process per complete message.</summary>
    public double ServerMicros { get; init; }

    /// <summary>Of these, the microseconds that the kernel took: sockets and files.</summary>
    public double KernelMicros { get; init; }

    /// <summary>CPU microseconds of the server's store processes per complete message.</summary>
    public double StoreMicros { get; init; }

    /// <summary>Share (0..1) of a core that the server and its stores used.</summary>
    public double ServerLoad { get; init; }

    /// <summary>Share (0..1) of a core that the generator used; near 1 means that it, not the server, was the limit.</summary>
    public double GeneratorLoad { get; init; }

    /// <summary>Messages of the run before that were delivered once more: at least once is the promise, once is the aim.</summary>
    public long Leftovers { get; init; }

    /// <summary>Connections of an idle run.</summary>
    public int Connections { get; init; }

    /// <summary>Resident bytes of the server before the first connection.</summary>
    public long BaseBytes { get; init; }

    /// <summary>Resident bytes added per idle connection.</summary>
    public double BytesPerConnection { get; init; }

    /// <summary>Resident bytes added by each connection after the first tenth, when all code is loaded and compiled.</summary>
    public double BytesPerFurtherConnection { get; init; }

    /// <summary>CPU microseconds of the server to accept, authenticate and serve each connection's first message.</summary>
    public double ConnectMicros { get; init; }

    public double TotalMicros => ServerMicros + StoreMicros;
}
