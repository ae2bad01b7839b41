using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Client.Connection;
using SecureChat.Client.Sqlite;
using SecureChat.Client.Testing;

namespace SecureChat.Cli.Tests.Support;

/// <summary>The command line's world in a test: what it writes is kept, what it asks is answered by the test.</summary>
internal sealed class TypedHost(INetwork network, string home) : CliHost, IDisposable
{
    private readonly StringWriter _screen = new();
    private readonly StringWriter _printed = new();

    /// <summary>Answers a prompt, or gives the next line of input; null ends it.</summary>
    public Func<string, bool, ValueTask<string?>> Answer { get; set; } = (_, _) => ValueTask.FromResult<string?>(null);

    /// <summary>Keys of a person.</summary>
    public ConcurrentQueue<ConsoleKeyInfo> Keys { get; } = new();

    public bool IsPerson { get; init; }

    public Dictionary<string, string> Variables { get; } = new() { ["CHAT_HOME"] = home };

    /// <summary>Both streams as they come, like a terminal shows them.</summary>
    public string Screen => TextOn(_screen);

    /// <summary>Standard output alone.</summary>
    public string Printed => TextOn(_printed);

    public override TextWriter Out => new Pen(_screen, _printed);

    public override TextWriter Error => new Pen(_screen);

    public override bool IsInteractive => IsPerson;

    public override (int Columns, int Rows) Size => (100, 30);

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    public override INetwork Network => network;

    public override TimeProvider Time => Clock;

    public override TimeSpan Patience => TimeSpan.FromSeconds(network is FaultyNetwork { IsDown: true } ? 1 : 120);

    /// <summary>Without the half second that a passphrase takes: the programs that scenarios start take it.</summary>
    public override Task<SqliteStore> OpenStoreAsync(string path, string passphrase, CancellationToken ct) =>
        SqliteStore.OpenAsync(path, SHA256.HashData(Encoding.UTF8.GetBytes(passphrase)).AsMemory(), ct);

    public override string? Variable(string name) => Variables.GetValueOrDefault(name);

    public override async ValueTask<string?> ReadLineAsync(bool secret, CancellationToken ct)
    {
        var prompt = Screen.Split('\n')[^1];
        var line = await Answer(prompt, secret);
        if (prompt.Length > 0)
        {
            await Error.WriteLineAsync(secret ? "" : line);
        }

        return line;
    }

    public override async ValueTask<ConsoleKeyInfo> ReadKeyAsync(CancellationToken ct)
    {
        ConsoleKeyInfo key;
        while (!Keys.TryDequeue(out key))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, ct);
        }

        return key;
    }

    public void Dispose()
    {
        _screen.Dispose();
        _printed.Dispose();
    }

    private string TextOn(StringWriter paper)
    {
        lock (_screen)
        {
            return paper.ToString();
        }
    }

    /// <summary>Writes on several papers at once; the first guards them all.</summary>
    private sealed class Pen : TextWriter
    {
        private readonly StringWriter[] _papers;

        public Pen(params StringWriter[] papers) => (_papers, NewLine) = (papers, "\n");

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value) => Write([value]);

        public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

        public override void Write(string? value) => Write(value.AsSpan());

        public override void Write(ReadOnlySpan<char> buffer)
        {
            lock (_papers[0])
            {
                foreach (var paper in _papers)
                {
                    paper.Write(buffer);
                }
            }
        }
    }
}
