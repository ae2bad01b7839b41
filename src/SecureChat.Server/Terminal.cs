namespace SecureChat.Server;

/// <summary>The one place that prints to the operator's terminal: answers of commands, and codes in Development.</summary>
internal static class Terminal
{
#pragma warning disable RS0030 // This is what the ban points to.
    public static void WriteLine(string line) => Console.Out.WriteLine(line);

    public static void WriteError(string line) => Console.Error.WriteLine(line);
#pragma warning restore RS0030
}
