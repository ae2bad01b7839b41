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
}

[OptionsValidator]
internal sealed partial class StorageOptionsValidator : IValidateOptions<StorageOptions>;
