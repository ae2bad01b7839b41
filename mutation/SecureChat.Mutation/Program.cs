using System.Diagnostics;
using System.Text.RegularExpressions;
using SecureChat.Mutation;

// SecureChat.Mutation TESTS.dll REPORT.json RESULTS.tsv LEFT-OUT AGAIN [FIRST...]: see mutation/run.
// Exit code 0: every mutant has a result. 3: a test could not be ended; run again to go on.
var (tests, report, left) = (args[0], args[1], new Regex(args[3]));
var results = new Results(args[2]);
var again = args[4].Split(',', StringSplitOptions.RemoveEmptyEntries);
var mutants = Mutant.Read(report, args[5..]);
Mutant? current = null;

if (results.Unfinished is { } crashed && mutants.FirstOrDefault(mutant => mutant.Id == crashed) is { } culprit)
{
    results.Add(culprit, "Timeout", "ended the process");
}

var watch = new Watch(() =>
{
    if (current is not null)
    {
        results.Add(current, "Timeout", "could not be aborted");
    }

    Environment.Exit(3);
});
var open = mutants.Where(mutant => results[mutant.Id] is not { } status || again.Contains(status)).ToArray();
Say($"{mutants.Count} mutants, {open.Length} to test");
Say($"{Repair.TakeOutDefaults(Path.Combine(Path.GetDirectoryName(tests)!, "SecureChat.Signal.dll"))} defaults of out parameters taken out");
using var suite = new Suite(tests);
var cases = suite.Cases.Where(test => !left.IsMatch(test.Name)).ToList();

// The first pass makes the static fields, so that what the second reaches is reached each time.
var everReached = new HashSet<int>();
var reached = new Dictionary<Suite.Case, HashSet<int>>();
var spent = new Dictionary<Suite.Case, TimeSpan>();
foreach (var pass in new[] { 1, 2 })
{
    foreach (var test in cases.ToArray())
    {
        Exception? failure = null;
        var began = Stopwatch.GetTimestamp();
        reached[test] = [.. suite.Reached(() => watch.Run(test.Run, TimeSpan.FromMinutes(3), out failure))];
        spent[test] = Stopwatch.GetElapsedTime(began);
        everReached.UnionWith(reached[test]);
        if (failure is not null)
        {
            Say($"left out, fails without a mutant: {test.Name}: {failure.GetType().Name} {failure.Message.Split('\n')[0]}");
            cases.Remove(test);
        }
    }
}

cases = [.. cases.OrderBy(test => spent[test])];
Say($"{cases.Count} tests, {cases.Sum(test => spent[test].TotalSeconds):F1} s");
foreach (var test in cases.TakeLast(8))
{
    Say($"  {spent[test].TotalSeconds:F2} s {test.Name}");
}

var done = 0;
const int Round = 250;
foreach (var mutant in open)
{
    current = mutant;
    results.Begin(mutant);
    var covering = cases.Where(test => reached[test].Contains(mutant.Id)).ToArray();
    var (status, killer) = covering.Length > 0 ? Try(suite, mutant, covering)
        : everReached.Contains(mutant.Id) ? TryAlone(mutant)
        : ("NoCoverage", "");
    results.Add(mutant, status, killer);
    current = null;
    if (++done % Round == 0)
    {
        Say($"{done} of {open.Length}");
        suite.Active = -1;
        foreach (var test in cases)
        {
            watch.Run(test.Run, TimeSpan.FromMinutes(3), out var failure);
            if (failure is not null)
            {
                Say($"a mutant left something behind ({mutant.Id} or one since the last look): {test.Name}: {failure.Message}");
                Environment.Exit(4);
            }
        }
    }
}

return 0;

#pragma warning disable RS0030 // The one place that prints.
static void Say(string line) => Console.WriteLine($"{TimeProvider.System.GetUtcNow():HH:mm:ss} {line}");
#pragma warning restore RS0030

// What runs only while static fields are made needs a copy of the library whose fields are not made yet.
(string Status, string Killer) TryAlone(Mutant mutant)
{
    using var alone = new Suite(tests);
    alone.Active = mutant.Id;
    var names = cases.Select(test => test.Name).ToList();
    return Try(alone, mutant, [.. alone.Cases.Where(test => names.Contains(test.Name)).OrderBy(test => names.IndexOf(test.Name))]);
}

(string Status, string Killer) Try(Suite where, Mutant mutant, IReadOnlyList<Suite.Case> covering)
{
    try
    {
        foreach (var test in covering)
        {
            where.Active = mutant.Id;
            var limit = TimeSpan.FromSeconds(3) + (20 * spent.GetValueOrDefault(test));
            if (!watch.Run(test.Run, limit, out var failure))
            {
                return ("Timeout", test.Name);
            }

            if (failure is not null)
            {
                return ("Killed", test.Name);
            }
        }

        return ("Survived", "");
    }
    finally
    {
        where.Active = -1;
    }
}
