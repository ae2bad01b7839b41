using System.CommandLine;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Keys;

/// <summary><c>securechat-server restored</c>: to be run once on a directory that came from a backup, before the server starts.</summary>
internal static class RestoredCommand
{
    /// <remarks>
    /// A copy still has one-time keys that were handed out after it was made. Given to a second sender they would put two sessions on
    /// one key, which is what K2 names; the last-resort key stands in until devices bring new ones.
    /// </remarks>
    public static Command Create() => CommandLine.On<KeyStore>(
        new Command("restored", "After restoring a backup of the directory: forgets the one-time keys in it, some of which were handed out since."),
        async (keys, _, ct) =>
        {
            Terminal.WriteLine($"Forgot {await keys.ForgetOneTimeKeysAsync(ct)} one-time keys. Devices bring new ones by themselves.");
            return 0;
        });
}
