namespace SecureChat.Bench;

#pragma warning disable RS0030 // The one place that prints.
/// <summary>Results go to standard output, progress to standard error.</summary>
internal static class Terminal
{
    public static void Print(string text) => Console.Out.WriteLine(text);

    public static void Progress(string text) => Console.Error.WriteLine(text);
}
#pragma warning restore RS0030
