using System.CommandLine;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Health;

/// <summary><c>securechat-server data-held</c>: prints <c>/.well-known/data-held.json</c>. A Release build runs it, and fails with it.</summary>
internal static class DataHeldCommand
{
    public static Command Create()
    {
        var command = new Command("data-held", "Prints every field that this server stores: what for, in which form, for how long.");
        command.SetAction((_, _) => CommandLine.GuardAsync(() =>
        {
            Terminal.WriteLine(DataHeld.Create());
            return Task.FromResult(0);
        }));
        return command;
    }
}
