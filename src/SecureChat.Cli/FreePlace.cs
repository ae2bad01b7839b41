namespace SecureChat.Cli;

/// <summary>A path that was free and is taken before anything is fetched: half a file never stands under the name of the whole.</summary>
internal sealed class FreePlace : IDisposable
{
    private readonly string _path;
    private readonly string _part;
    private bool _isKept;

    private FreePlace(string path) => (_path, _part, Content) = (path, path + ".part", new FileStream(path + ".part", FileMode.Create, FileAccess.Write));

    public FileStream Content { get; }

    /// <param name="option">What another place is given with.</param>
    public static FreePlace Take(string path, string option)
    {
        try
        {
            using var taken = new FileStream(path, FileMode.CreateNew);
        }
        catch (IOException) when (Path.Exists(path))
        {
            throw new CliException(ExitCode.Usage, "exists", $"'{path}' exists already.", $"Give another place with {option}.");
        }

        return new FreePlace(path);
    }

    /// <summary>What was written stays, under the name that was taken.</summary>
    /// <returns>That name.</returns>
    public string Keep()
    {
        Content.Dispose();
        File.Move(_part, _path, overwrite: true);
        _isKept = true;
        return _path;
    }

    public void Dispose()
    {
        Content.Dispose();
        if (!_isKept)
        {
            File.Delete(_part);
            File.Delete(_path);
        }
    }
}
