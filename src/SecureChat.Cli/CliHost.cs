using SecureChat.Client.Connection;
using SecureChat.Client.Sqlite;

namespace SecureChat.Cli;

/// <summary>The world outside of the command line. Tests put another in its place.</summary>
internal abstract class CliHost
{
    /// <summary>What was asked for.</summary>
    public abstract TextWriter Out { get; }

    /// <summary>Prompts, progress and failures.</summary>
    public abstract TextWriter Error { get; }

    /// <summary>Whether a person sits at it: prompts, colours and progress make sense then.</summary>
    public abstract bool IsInteractive { get; }

    /// <summary>How many columns and rows a line of output has room for.</summary>
    public abstract (int Columns, int Rows) Size { get; }

    public virtual INetwork Network { get; } = new SystemNetwork();

    public virtual TimeProvider Time => TimeProvider.System;

    /// <summary>How long a command waits for a server that does not answer; one that is there answers sooner.</summary>
    public virtual TimeSpan Patience => TimeSpan.FromSeconds(20);

    /// <summary>Opens a profile's store under a passphrase, or makes it.</summary>
    public virtual Task<SqliteStore> OpenStoreAsync(string path, string passphrase, CancellationToken ct) => SqliteStore.OpenAsync(path, passphrase, ct);

    public abstract string? Variable(string name);

    /// <summary>The next line of input, null at its end. A secret one does not show.</summary>
    public abstract ValueTask<string?> ReadLineAsync(bool secret, CancellationToken ct);

    /// <summary>The next key of a person at a terminal.</summary>
    public abstract ValueTask<ConsoleKeyInfo> ReadKeyAsync(CancellationToken ct);
}
