using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace SecureChat.Server.Storage;

/// <summary>Blobs as files in the data folder, one each.</summary>
/// <remarks>
/// The length of the file is the length of the blob: what the kernel has taken survives <c>kill -9</c>. A part that is to be kept whole or not
/// at all has a file <c>name.from</c> beside it while it is written, with the length to go back to.
/// </remarks>
/// <param name="survivesPowerLoss">Whether <see cref="IBlobAppend.KeepAsync"/> waits for the disk.</param>
internal sealed class FileBlobs(string folder, bool survivesPowerLoss) : IBlobStore
{
    private const string FromSuffix = ".from";
    private const FileShare Anyone = FileShare.ReadWrite | FileShare.Delete;

    // ENOSPC and EDQUOT of Linux.
    private const int NoSpace = 28;
    private const int NoQuota = 122;

    public string Name => "files";

    public Task PingAsync(CancellationToken ct) => Task.Run(() => OwnerOnly.CreateFolder(folder), ct);

    public Task<long> LengthAsync(string name, CancellationToken ct) => Task.Run(() => Length(PathOf(name)), ct);

    public Task<IBlobAppend> AppendAsync(string name, long offset, bool whole, CancellationToken ct) => Task.Run<IBlobAppend>(
        () =>
        {
            var path = PathOf(name);
            OwnerOnly.CreateFolder(Path.GetDirectoryName(path)!);
            ArgumentOutOfRangeException.ThrowIfNotEqual(offset, Length(path));
            if (whole)
            {
                OrFull(() => File.WriteAllText(path + FromSuffix, offset.ToString(CultureInfo.InvariantCulture)));
            }

            var file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, Anyone);
            return new Append(file, path, offset, whole, survivesPowerLoss);
        },
        ct);

    public Task<Stream?> ReadAsync(string name, long offset, long count, CancellationToken ct) => Task.Run(
        () =>
        {
            var path = PathOf(name);
            if (Length(path) < offset + count)
            {
                return null;
            }

            try
            {
                // No buffer of its own: whoever reads has one.
                var file = new FileStream(path, FileMode.Open, FileAccess.Read, Anyone, bufferSize: 0);
                file.Position = offset;
                return (Stream)file;
            }
            catch (FileNotFoundException)
            {
                return null;
            }
        },
        ct);

    public Task RemoveAsync(string name, CancellationToken ct) => Task.Run(() => Remove(PathOf(name)), ct);

    public Task<int> RemoveOlderAsync(string area, DateTimeOffset before, CancellationToken ct) => Task.Run(
        () =>
        {
            var files = new DirectoryInfo(PathOf(area));
            var removed = 0;
            foreach (var file in files.Exists ? files.EnumerateFiles() : [])
            {
                ct.ThrowIfCancellationRequested();
                if (file.LastWriteTimeUtc < before.UtcDateTime)
                {
                    file.Delete();
                    removed++;
                }
            }

            return removed;
        },
        ct);

    private static void Remove(string path)
    {
        // Deleting what is not there is no error; a missing folder would be.
        if (Directory.Exists(Path.GetDirectoryName(path)))
        {
            File.Delete(path);
            File.Delete(path + FromSuffix);
        }
    }

    // A process that died while it wrote a part that is kept whole or not at all has left its mark: the part goes.
    private static long Length(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
        {
            return 0;
        }

        var mark = path + FromSuffix;
        if (File.Exists(mark) && long.TryParse(File.ReadAllText(mark), NumberStyles.None, CultureInfo.InvariantCulture, out var from))
        {
            Shorten(path, from);
            return from;
        }

        return file.Length;
    }

    private static void Shorten(string path, long length)
    {
        using (var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write, Anyone))
        {
            RandomAccess.SetLength(file, length);
        }

        File.Delete(path + FromSuffix);
    }

    private static void OrFull(Action write)
    {
        try
        {
            write();
        }
        catch (IOException failure) when (IsFull(failure))
        {
            throw new BlobsFullException(failure);
        }
    }

    private static bool IsFull(IOException failure) => (failure.HResult & 0xFFFF) is NoSpace or NoQuota;

    private string PathOf(string name) => Path.Combine(folder, name);

    private sealed class Append(SafeFileHandle file, string path, long from, bool whole, bool survivesPowerLoss) : IBlobAppend
    {
        private long _at = from;
        private bool _kept;

        public async ValueTask WriteAsync(IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken ct)
        {
            try
            {
                await RandomAccess.WriteAsync(file, buffers, _at, ct);
            }
            catch (IOException failure) when (IsFull(failure))
            {
                throw new BlobsFullException(failure);
            }

            foreach (var buffer in buffers)
            {
                _at += buffer.Length;
            }
        }

        public Task KeepAsync(CancellationToken ct)
        {
            _kept = true;
            return whole || survivesPowerLoss ? Task.Run(Keep, ct) : Task.CompletedTask;
        }

        public async ValueTask DisposeAsync()
        {
            file.Dispose();
            if (whole && !_kept)
            {
                // The blob may have been removed meanwhile.
                await Task.Run(() => Length(path));
            }
        }

        private void Keep()
        {
            if (survivesPowerLoss)
            {
                RandomAccess.FlushToDisk(file);
            }

            File.Delete(path + FromSuffix);
        }
    }
}
