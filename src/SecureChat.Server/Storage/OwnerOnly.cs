using SecureChat.Server.Hosting;

namespace SecureChat.Server.Storage;

/// <summary>Folders and files that nobody but the server's own user can read.</summary>
internal static class OwnerOnly
{
    private const UnixFileMode ReadWrite = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes the folder, if there is none, with mode 0700.</summary>
    /// <exception cref="StorageUnavailableException">It cannot be made.</exception>
    public static void CreateFolder(string path)
    {
        try
        {
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(path);
            }
            else
            {
                Directory.CreateDirectory(path, ReadWrite | UnixFileMode.UserExecute);
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StorageUnavailableException(
                $"Storage:DataFolder: the folder {path} cannot be created ({failure.Message}). " +
                "Name one that the server's user may write, for instance SECURECHAT_STORAGE__DATAFOLDER=/var/lib/securechat.",
                failure);
        }
    }

    /// <summary>Makes an empty file, if there is none, with mode 0600. SQLite gives its side files the mode of the database.</summary>
    /// <exception cref="StorageUnavailableException">It cannot be made.</exception>
    public static void CreateFile(string path)
    {
        if (File.Exists(path))
        {
            return;
        }

        CreateFolder(Path.GetDirectoryName(path)!);
        var create = new FileStreamOptions { Mode = System.IO.FileMode.OpenOrCreate, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            create.UnixCreateMode = ReadWrite;
        }

        try
        {
            new FileStream(path, create).Dispose();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StorageUnavailableException(
                $"Storage:DataFolder: the file {path} cannot be created ({failure.Message}). " +
                "Check the folder's owner and the free space.",
                failure);
        }
    }

    /// <summary>Makes a file of mode 0600 with this content, whole or not at all.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        CreateFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var create = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            create.UnixCreateMode = ReadWrite;
        }

        // Renamed into place, so that a start that is cut off leaves no half a secret behind.
        var draft = path + ".new";
        File.Delete(draft);
        using (var stream = new FileStream(draft, create))
        {
            stream.Write(content);
            stream.Flush(flushToDisk: true);
        }

        File.Move(draft, path, overwrite: false);
    }

    /// <summary>Refuses a secret's file that the group or everybody can read.</summary>
    /// <exception cref="SettingsException">They can.</exception>
    public static void Check(string path)
    {
        const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != 0)
        {
            throw new SettingsException($"{path} holds a secret that others than its owner can read or write. Run: chmod 600 {path}");
        }
    }
}
