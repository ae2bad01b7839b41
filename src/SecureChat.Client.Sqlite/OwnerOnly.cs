namespace SecureChat.Client.Sqlite;

/// <summary>Files that nobody but their owner may read.</summary>
internal static class OwnerOnly
{
    /// <summary>Makes the file if it is not there, readable by its owner alone. On Windows the folder's rights decide.</summary>
    public static void Create(string path)
    {
        if (File.Exists(path))
        {
            return;
        }

        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
        {
            Directory.CreateDirectory(folder);
        }

        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var file = new FileStream(path, options);
    }
}
