using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;

namespace SecureChat.Server.Media;

/// <summary>Section <c>Media</c>: how many encrypted files people may send through this server.</summary>
internal sealed class MediaOptions
{
    /// <summary>Bytes that one account may upload per day (default 2 GiB); then it is told <c>quota_used_up</c>.</summary>
    [Range((long)Limits.MaxMediaBytes, 1L << 50)]
    public long BytesPerDay { get; set; } = 2L << 30;

    /// <summary>Uploads of one account that are not complete; then it is told <c>too_many_uploads</c>.</summary>
    [Range(1, 10_000)]
    public int UploadsInFlight { get; set; } = 20;

    /// <summary>Bytes of all files together, counted when an upload is announced (default 20 GiB); then everybody is told <c>storage_full</c>.</summary>
    [Range((long)Limits.MaxMediaBytes, 1L << 50)]
    public long MaxStoredBytes { get; set; } = 20L << 30;

    /// <summary>Time that an upload has to be complete, with all its interruptions: at most two hours.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "02:00:00")]
    public TimeSpan UploadTime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Bytes per second, on average, below which a transfer over HTTP/1.1 is cut off; it can be resumed.</summary>
    [Range(240, 1_000_000)]
    public int SlowestBytesPerSecond { get; set; } = 1024;
}

[OptionsValidator]
internal sealed partial class MediaOptionsValidator : IValidateOptions<MediaOptions>;
