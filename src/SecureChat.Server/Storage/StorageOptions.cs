using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Storage;

/// <summary>Section <c>Storage</c>: where data lives. With no setting, everything is in one folder of this machine.</summary>
internal sealed class StorageOptions
{
    /// <summary>Folder of the embedded databases and the generated secrets. Created with owner-only permissions.</summary>
    [Required]
    public string DataFolder { get; set; } = Environment.GetEnvironmentVariable("STATE_DIRECTORY") ?? "data";

    /// <summary>PostgreSQL connection string of the directory. Empty: SQLite in the data folder.</summary>
    public string Postgres { get; set; } = "";

    /// <summary>Redis connection string of queues and short-lived state. Empty: SQLite and process memory.</summary>
    public string Redis { get; set; } = "";

    /// <summary>How long the start waits for a store that cannot be reached, in seconds, trying again all the while.</summary>
    [Range(0, 3600)]
    public int StartPatienceSeconds { get; set; } = 60;

    /// <summary>Envelopes that may wait for one device; then its senders are told <c>queue_full</c>.</summary>
    [Range(10, 1_000_000)]
    public int MaxQueueEnvelopes { get; set; } = 2_000;

    /// <summary>Bytes of envelopes that may wait for one device (default 32 MiB); then its senders are told <c>queue_full</c>.</summary>
    [Range(1024 * 1024, 1L << 40)]
    public long MaxQueueBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>
    /// Whether an accepted message in the embedded queue also survives power loss. Off: it survives the death of the process at any
    /// moment, and power loss may take what was accepted since the last checkpoint, at most some seconds under load and longer on a
    /// quiet server. On: every commit waits for the disk, which costs latency and throughput.
    /// </summary>
    public bool QueueSurvivesPowerLoss { get; set; }

    /// <summary>The embedded directory, in the data folder.</summary>
    internal const string DirectoryFile = "directory.db";

    /// <summary>The embedded queues, in the data folder.</summary>
    internal const string QueueFile = "queue.db";

    /// <summary>The embedded outbox of wake-ups, in the data folder.</summary>
    internal const string PushFile = "push.db";

    /// <summary>The caps of one device's queue.</summary>
    internal QueueCaps QueueCaps => new(MaxQueueEnvelopes, MaxQueueBytes);

    /// <summary>Full path of a file in the data folder.</summary>
    internal string FileOf(string name) => Path.GetFullPath(Path.Combine(DataFolder, name));
}

[OptionsValidator]
internal sealed partial class StorageOptionsValidator : IValidateOptions<StorageOptions>;
