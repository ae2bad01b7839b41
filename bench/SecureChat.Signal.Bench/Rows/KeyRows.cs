using BenchmarkDotNet.Attributes;
using SecureChat.Signal;
using SecureChat.Signal.Fingerprints;
using SecureChat.Signal.Keys;

namespace SecureChat.Bench.Rows;

/// <summary>What needs keys and no session.</summary>
public class KeyRows
{
    private const int Fingerprints = 16;
    private const int Signatures = 2048;

    private readonly PrivateKey _key = PrivateKey.Generate(RandomSource.System);
    private readonly byte[] _ids = new byte[16];
    private byte[] _message = [];
    private byte[] _signature = [];

    [GlobalSetup]
    public void MakeSignature()
    {
        _message = _key.PublicKey.Serialize();
        _signature = _key.Sign(_message, RandomSource.System);
    }

    [Benchmark(OperationsPerInvoke = Fingerprints)]
    public void SafetyNumber()
    {
        for (var i = 0; i < Fingerprints; i++)
        {
            var fingerprint = Fingerprint.Create(_ids, _message, _ids, _message);
            _ = (fingerprint.Display, fingerprint.Scannable());
        }
    }

    [Benchmark(OperationsPerInvoke = Signatures)]
    public void Sign()
    {
        for (var i = 0; i < Signatures; i++)
        {
            _key.Sign(_message, RandomSource.System);
        }
    }

    [Benchmark(OperationsPerInvoke = Signatures)]
    public bool Verify()
    {
        var valid = true;
        for (var i = 0; i < Signatures; i++)
        {
            valid &= _key.PublicKey.Verify(_message, _signature);
        }

        return valid ? valid : throw new BenchException("A good signature was refused.");
    }
}
