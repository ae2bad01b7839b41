using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Storage;

/// <summary>
/// Section <c>Blobs</c>: where encrypted files lie. With no setting, in the folder <c>blobs</c> of the data folder; many machines share an
/// S3-compatible object store.
/// </summary>
internal sealed class BlobOptions
{
    /// <summary>Folder of the files; a relative one is in the data folder.</summary>
    [Required]
    public string Folder { get; set; } = "blobs";

    /// <summary>
    /// Whether what was uploaded also survives power loss. Off: it survives the death of the process at any moment. On: the answer to every
    /// part of an upload waits for the disk.
    /// </summary>
    public bool SurvivesPowerLoss { get; set; }

    /// <summary>URL of an S3-compatible object store. Empty: files of this machine.</summary>
    public string S3Endpoint { get; set; } = "";

    /// <summary>Bucket in the object store. It must be there, private, and empty but for this server's files.</summary>
    public string S3Bucket { get; set; } = "";

    /// <summary>Region that requests to the object store are signed for.</summary>
    [Required]
    public string S3Region { get; set; } = "us-east-1";

    /// <summary>Access key of the object store.</summary>
    public string S3AccessKey { get; set; } = "";

    /// <summary>Secret key of the object store. From the environment or a file, not from appsettings.json.</summary>
    public string S3SecretKey { get; set; } = "";
}

/// <summary>Refuses settings under which files could not be kept.</summary>
internal sealed class BlobOptionsValidator : IValidateOptions<BlobOptions>
{
    public ValidateOptionsResult Validate(string? name, BlobOptions options)
    {
        var problems = new List<ValidationResult>();
        Validator.TryValidateObject(options, new ValidationContext(options), problems, validateAllProperties: true);
        var sentences = problems.Select(problem => problem.ErrorMessage!).Concat(S3Rules(options)).ToList();
        return sentences.Count is 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(sentences);
    }

    private static IEnumerable<string> S3Rules(BlobOptions options)
    {
        if (options.S3Endpoint.Length is 0)
        {
            yield break;
        }

        if (!(Uri.TryCreate(options.S3Endpoint, UriKind.Absolute, out var url) && url.Scheme is "https" or "http"))
        {
            yield return "Blobs:S3Endpoint must be an absolute URL, for example 'https://s3.example.org'.";
        }

        if (options.S3Bucket.Length is 0 || options.S3AccessKey.Length is 0 || options.S3SecretKey.Length is 0)
        {
            yield return "Blobs:S3Bucket, Blobs:S3AccessKey and Blobs:S3SecretKey must be set with Blobs:S3Endpoint,"
                + " for example 'securechat', and the keys that the object store gives.";
        }
    }
}
