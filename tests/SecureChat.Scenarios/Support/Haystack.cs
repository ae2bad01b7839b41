using System.Text;

namespace SecureChat.Scenarios.Support;

/// <summary>Everything that a world's servers and stores wrote, to be searched.</summary>
internal sealed class Haystack
{
    private readonly Dictionary<string, byte[]> _contents = [];

    public static Haystack Of(World world)
    {
        var haystack = new Haystack();
        foreach (var file in world.FilesWritten())
        {
            try
            {
                using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                using var copy = new MemoryStream();
                stream.CopyTo(copy);
                haystack.Add(file, copy.ToArray());
            }
            catch (FileNotFoundException)
            {
                // A running store removes and makes anew files of its own; what is gone since the listing holds nothing.
            }
        }

        return haystack;
    }

    public void Add(string name, byte[] content) => _contents[name] = content;

    /// <summary>The names of what contains the text: as it is, in capitals or small letters, or in base64.</summary>
    public IReadOnlyList<string> Find(string text) =>
    [
        .. Find(Encoding.UTF8.GetBytes(text)),
        .. Find(Encoding.UTF8.GetBytes(text.ToUpperInvariant())),
        .. Find(Encoding.Unicode.GetBytes(text)),
        .. Find(Encoding.UTF8.GetBytes(Convert.ToBase64String(Encoding.UTF8.GetBytes(text)).TrimEnd('='))),
    ];

    public IReadOnlyList<string> Find(byte[] needle) =>
        [.. _contents.Where(entry => entry.Value.AsSpan().IndexOf(needle) >= 0).Select(entry => entry.Key)];
}
