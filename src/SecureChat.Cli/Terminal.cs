#pragma warning disable RS0030 // This is what the ban points to.
using System.Text;

namespace SecureChat.Cli;

/// <summary>The process's own terminal, files and variables.</summary>
internal sealed class Terminal : CliHost
{
    private static readonly TimeSpan KeyInterval = TimeSpan.FromMilliseconds(15);

    public Terminal()
    {
        // Names and texts are UTF-8 whatever the machine's code page is.
        if (!Console.IsOutputRedirected || !OperatingSystem.IsWindows())
        {
            Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        }
    }

    public override TextWriter Out => Console.Out;

    public override TextWriter Error => Console.Error;

    public override bool IsInteractive => !Console.IsInputRedirected && !Console.IsOutputRedirected;

    public override (int Columns, int Rows) Size =>
        Console.IsOutputRedirected ? (200, 50) : (Math.Max(20, Console.WindowWidth), Math.Max(5, Console.WindowHeight));

    public override string? Variable(string name) => Environment.GetEnvironmentVariable(name);

    public override async ValueTask<string?> ReadLineAsync(bool secret, CancellationToken ct)
    {
        if (!secret || Console.IsInputRedirected)
        {
            return await Console.In.ReadLineAsync(ct);
        }

        var line = new StringBuilder();
        while (true)
        {
            var key = await ReadKeyAsync(ct);
            switch (key.Key)
            {
                case ConsoleKey.Enter:
                    await Console.Error.WriteLineAsync();
                    return line.ToString();
                case ConsoleKey.Backspace when line.Length > 0:
                    line.Length--;
                    break;
                default:
                    if (!char.IsControl(key.KeyChar))
                    {
                        line.Append(key.KeyChar);
                    }

                    break;
            }
        }
    }

    public override async ValueTask<ConsoleKeyInfo> ReadKeyAsync(CancellationToken ct)
    {
        while (!Console.KeyAvailable)
        {
            await Task.Delay(KeyInterval, Time, ct);
        }

        return Console.ReadKey(intercept: true);
    }
}
