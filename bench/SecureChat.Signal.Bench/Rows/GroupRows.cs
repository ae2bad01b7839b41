using BenchmarkDotNet.Attributes;

namespace SecureChat.Bench.Rows;

/// <summary>Messages of 1 KB to a group.</summary>
public class GroupRows
{
    private const int Messages = 512;

    private readonly byte[] _plaintext = new byte[1024];
    private readonly Guid _distribution = Guid.CreateVersion7();
    private readonly BenchDevice _alice = new();
    private readonly BenchDevice _bob = new();
    private byte[][] _messages = [];

    [GlobalSetup]
    public async Task DistributeAsync()
    {
        var key = await _alice.Groups.DistributeAsync(_alice.Address, _distribution, CancellationToken.None);
        await _bob.Groups.ProcessAsync(_alice.Address, key, CancellationToken.None);
    }

    [Benchmark(OperationsPerInvoke = Messages)]
    public async Task GroupEncrypt()
    {
        for (var i = 0; i < Messages; i++)
        {
            await _alice.Groups.EncryptAsync(_alice.Address, _distribution, _plaintext, CancellationToken.None);
        }
    }

    [IterationSetup(Target = nameof(GroupDecrypt))]
    public void EncryptMessages() => _messages = [.. Enumerable.Range(0, Messages).Select(_ => _alice.Groups.EncryptAsync(
        _alice.Address, _distribution, _plaintext, CancellationToken.None).AsTask().Result)];

    [Benchmark(OperationsPerInvoke = Messages)]
    public async Task GroupDecrypt()
    {
        foreach (var message in _messages)
        {
            await _bob.Groups.DecryptAsync(_alice.Address, message, CancellationToken.None);
        }
    }
}
