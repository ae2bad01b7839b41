using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Storage;

/// <summary>Section <c>Blobs</c>: where encrypted files lie. With no setting, in the folder <c>blobs</c> of the data folder.</summary>
internal sealed class BlobOptions
{
    /// <summary>Folder of the files; a relative one is in the data folder.</summary>
    [Required]
    public string Folder { get; set; } = "blobs";

    /// <summary>
    /// Whether what was uploaded also survives power loss. Off: it survives the death of the process at any moment. On: the answer to the
    /// end of an upload waits for the disk.
    /// </summary>
    public bool SurvivesPowerLoss { get; set; }
}

[OptionsValidator]
internal sealed partial class BlobOptionsValidator : IValidateOptions<BlobOptions>;
