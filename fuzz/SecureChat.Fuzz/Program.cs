using System.Runtime.InteropServices;
using SecureChat.Fuzz.Targets;
using SharpFuzz;

const int MapSize = 1 << 16;

#pragma warning disable RS0030 // The one place that prints.
return args switch
{
    ["list"] => List(),
    ["seed", var folder] => Seed(folder),
    ["replay", var name, .. var files] when FuzzTargets.All.ContainsKey(name) => Replay(FuzzTargets.All[name], files),
    [var name] when FuzzTargets.All.ContainsKey(name) => Fuzz(FuzzTargets.All[name]),
    _ => Usage(),
};

static int List()
{
    foreach (var name in FuzzTargets.All.Keys)
    {
        Console.WriteLine(name);
    }

    return 0;
}

static int Seed(string folder)
{
    foreach (var (target, name, input) in Specimens.All())
    {
        var path = Directory.CreateDirectory(Path.Combine(folder, target)).FullName;
        File.WriteAllBytes(Path.Combine(path, name), input);
    }

    return 0;
}

static int Replay(FuzzTarget target, string[] files)
{
    foreach (var file in files)
    {
        var accepted = Oracle.Judge(target, File.ReadAllBytes(file));
        Console.WriteLine($"{(accepted ? "accepted" : "refused")} {file}");
    }

    return 0;
}

static int Fuzz(FuzzTarget target)
{
    Provide();

    // What runs once is compiled and its tables are built before the first input is timed and weighed.
    foreach (var (_, _, input) in Specimens.All())
    {
        Oracle.Judge(target, input, limited: false);
    }

    var buffer = new byte[Oracle.MaxInput];
    Fuzzer.Run(stream => Oracle.Judge(target, buffer.AsSpan(0, stream.ReadAtLeast(buffer, buffer.Length, false))));
    return 0;
}

// An instrumented library counts its branches somewhere even before the fuzzer has said where.
static unsafe void Provide() => SharpFuzz.Common.Trace.SharedMem = (byte*)NativeMemory.AllocZeroed(MapSize);

static int Usage()
{
    Console.Error.WriteLine("Usage: SecureChat.Fuzz list | seed FOLDER | replay TARGET FILE... | TARGET (under afl-fuzz)");
    return 2;
}
