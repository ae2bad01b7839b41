using BenchmarkDotNet.Attributes;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;

namespace SecureChat.Bench.Rows;

/// <summary>Messages between two devices.</summary>
public class SessionRows
{
    private const int Handshakes = 48;
    private const int Messages = 2048;
    private const int Turns = 256;

    private readonly byte[] _plaintext = new byte[1024];
    private BenchDevice _alice = null!;
    private BenchDevice _bob = null!;
    private BenchDevice[] _others = [];
    private PreKeyBundle[] _bundles = [];
    private SessionMessage[] _messages = [];

    [GlobalSetup]
    public async Task MeetAsync()
    {
        (_alice, _bob) = (new BenchDevice(), new BenchDevice());
        await _alice.MeetAsync(_bob);
    }

    [IterationSetup(Target = nameof(Start))]
    public void PublishBundles()
    {
        _others = [.. Enumerable.Range(0, Handshakes).Select(_ => new BenchDevice(_bob.Self.Identity))];
        _bundles = [.. _others.Select(other => other.Bundle())];
    }

    [Benchmark(OperationsPerInvoke = Handshakes)]
    public async Task Start()
    {
        for (var i = 0; i < Handshakes; i++)
        {
            await _alice.StartAsync(_others[i].Address, _bundles[i], _plaintext);
        }
    }

    [IterationSetup(Target = nameof(Accept))]
    public void StartSessions()
    {
        var identity = IdentityKeyPair.Generate(Signal.RandomSource.System);
        _others = [.. Enumerable.Range(0, Handshakes).Select(_ => new BenchDevice(identity))];
        _messages = [.. _others.Select(other => other.StartAsync(_bob.Address, _bob.Bundle(), _plaintext).Result)];
    }

    [Benchmark(OperationsPerInvoke = Handshakes)]
    public async Task Accept()
    {
        for (var i = 0; i < Handshakes; i++)
        {
            await _bob.DecryptAsync(_others[i].Address, _messages[i]);
        }
    }

    [Benchmark(OperationsPerInvoke = Messages)]
    public async Task Encrypt()
    {
        for (var i = 0; i < Messages; i++)
        {
            await _alice.EncryptAsync(_bob.Address, _plaintext);
        }
    }

    [IterationSetup(Target = nameof(Decrypt))]
    public void EncryptMessages() => _messages =
        [.. Enumerable.Range(0, Messages).Select(_ => _alice.EncryptAsync(_bob.Address, _plaintext).AsTask().Result)];

    [Benchmark(OperationsPerInvoke = Messages)]
    public async Task Decrypt()
    {
        foreach (var message in _messages)
        {
            await _bob.DecryptAsync(_alice.Address, message);
        }
    }

    [Benchmark(OperationsPerInvoke = Turns)]
    public async Task Turn()
    {
        for (var i = 0; i < Turns; i += 2)
        {
            await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, _plaintext));
            await _alice.DecryptAsync(_bob.Address, await _bob.EncryptAsync(_alice.Address, _plaintext));
        }
    }
}
