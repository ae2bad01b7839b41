using System.Runtime.CompilerServices;
using SecureChat.Fuzz.Targets;

namespace SecureChat.Signal.Tests.Fuzzing;

/// <summary>Plays what fuzzing has found again, and shows that the targets are not vacuous.</summary>
public sealed class CorpusTests
{
    public static TheoryData<string> Targets { get; } = [.. FuzzTargets.All.Keys];

    [Fact]
    public void Every_genuine_specimen_is_accepted()
    {
        foreach (var (target, name, input) in Specimens.All())
        {
            Assert.True(Oracle.Judge(FuzzTargets.All[target], input, limited: false), $"{target}/{name}");
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void The_corpus_breaks_no_promise(string target)
    {
        var files = Directory.GetFiles(Path.Combine(Corpus(), target));
        var accepted = 0;
        foreach (var file in files)
        {
            accepted += Oracle.Judge(FuzzTargets.All[target], File.ReadAllBytes(file), limited: false) ? 1 : 0;
        }

        Assert.InRange(accepted, 1, files.Length);
    }

    /// <summary>What ran before is compiled, and its tables are made. Of several tries one has to keep to the limits: others use the processor too.</summary>
    [Theory]
    [MemberData(nameof(Targets))]
    public void Nothing_in_the_corpus_takes_a_second_or_64_MiB(string target)
    {
        foreach (var file in Directory.GetFiles(Path.Combine(Corpus(), target)))
        {
            var input = File.ReadAllBytes(file);
            Oracle.Judge(FuzzTargets.All[target], input, limited: false);

            Assert.Contains(Enumerable.Range(0, 5), _ => Record.Exception(() => Oracle.Judge(FuzzTargets.All[target], input)) is null);
        }
    }

    [Fact]
    public void Every_flipped_bit_of_a_specimen_keeps_every_promise()
    {
        foreach (var (target, _, input) in Specimens.All())
        {
            // The large ones are made of keys that are flipped elsewhere.
            foreach (var flipped in input.Length > 400 ? [] : Support.Bits.Flips(input))
            {
                Oracle.Judge(FuzzTargets.All[target], flipped, limited: false);
            }
        }
    }

    [Fact]
    public void Another_exception_and_too_much_memory_are_noticed()
    {
        Assert.Throws<IndexOutOfRangeException>(() => Oracle.Judge(input => _ = input[0], []));
        Assert.Throws<OracleException>(() => Oracle.Judge(_ => GC.KeepAlive(new byte[65 * 1024 * 1024]), []));
        Assert.False(Oracle.Judge(_ => throw new SignalException(SignalError.InvalidMessage, "Refused."), []));
        Assert.Throws<OracleException>(() => Oracle.RoundTrip([1, 2], bytes => bytes.ToArray(), bytes => [.. bytes, 0]));
    }

    private static string Corpus([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../fuzz/corpus"));
}
