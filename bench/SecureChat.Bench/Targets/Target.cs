using System.Net;
using System.Security.Cryptography;
using SecureChat.Bench.Load;

namespace SecureChat.Bench.Targets;

/// <summary>A server to measure: how it is started, and what its clients speak.</summary>
internal abstract class Target : IDisposable
{
    /// <summary>The name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>What is measured, for the report.</summary>
    public abstract string Description { get; }

    /// <summary>Exact version of what runs.</summary>
    public abstract string Version { get; }

    public abstract IPEndPoint EndPoint { get; }

    /// <summary>The server itself.</summary>
    public abstract ServerProcess Server { get; }

    /// <summary>Processes that store for the server.</summary>
    public virtual IReadOnlyList<ServerProcess> Stores => [];

    /// <summary>Starts the server with data of its own.</summary>
    /// <param name="core">The core it is pinned to; null leaves it to the kernel.</param>
    /// <param name="pairs">How many pairs of devices will connect.</param>
    public abstract void Start(int? core, int pairs, CancellationToken ct);

    /// <summary>Makes one device of a pair; the first sends to the second.</summary>
    public abstract ChatConnection Connect(Traffic traffic, int pair, bool sends);

    /// <summary>Content of the given size in the form that costs this server least.</summary>
    public virtual byte[] MakeContent(int size) =>
        System.Text.Encoding.ASCII.GetBytes(RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", size));

    public abstract void Stop();

    public void Dispose() => Stop();
}
