using System.Text.RegularExpressions;
using SecureChat.Mutation;

// SecureChat.Mutation TESTS.dll REPORT.json RESULTS.tsv EXPLAINED.tsv LEFT-OUT quick|rest|all AGAIN [FIRST...]: see mutation/run.
// Exit code 0: every mutant that survived is explained. 1: some are not. 3: a test could not be ended; run again to go on.
const double Quick = 0.3, Long = 6;
var (tests, report, explanations, left, mode) = (args[0], args[1], new Explanations(args[3]), new Regex(args[4]), args[5]);
var results = new Results(args[2]);
var again = args[6].Split(',', StringSplitOptions.RemoveEmptyEntries);
var mutants = Mutant.Read(report, args[7..]);
Mutant? current = null;

if (results.Unfinished is { } crashed && mutants.FirstOrDefault(mutant => mutant.Id == crashed) is { } culprit)
{
    results.Add(culprit, "Timeout", "ended the process");
}

Watch watch = null!;
watch = new Watch(() =>
{
    Say($"cannot be aborted: {watch.Running}");
    if (current is not null)
    {
        results.Add(current, "Timeout", "could not be aborted");
    }

    Environment.Exit(3);
});
var open = mutants.Where(mutant => results[mutant.Id] is not { } status || (again.Contains(status) && explanations.Of(mutant) is null)).ToArray();
Say($"{mutants.Count} mutants, {open.Length} to test");
Say($"{MutatedLibrary.Prepare(Path.Combine(Path.GetDirectoryName(tests)!, "SecureChat.Signal.dll"))} defaults of out parameters taken out");
using var suite = new Suite(tests);
var cases = suite.Cases.Where(test => !left.IsMatch(test.Name)).ToList();

// Made anew by mutation/run with the tests, and read again by a process that takes over from one that a mutant ended.
var reachFile = args[2] + ".reach";
var isKnown = File.Exists(reachFile);
var reach = isKnown ? Reach.Read(reachFile) : Reach.Measure(suite, cases, watch, Say);
if (isKnown)
{
    suite.MakeStaticFields();
}
else
{
    reach.Write(reachFile);
}

cases = [.. cases.Where(test => reach.SpentBy.TryGetValue(test.Name, out var spent) && IsWanted(spent.TotalSeconds))
    .OrderBy(test => reach.SpentBy[test.Name])];
Say($"{cases.Count} tests, {cases.Sum(test => reach.SpentBy[test.Name].TotalSeconds):F1} s");
foreach (var test in cases.TakeLast(8))
{
    Say($"  {reach.SpentBy[test.Name].TotalSeconds:F2} s {test.Name}");
}

var done = 0;
const int Round = 250;
foreach (var mutant in open)
{
    current = mutant;
    results.Begin(mutant);
    var covering = cases.Where(test => reach.Of[test.Name].Contains(mutant.Id)).ToArray();
    var (status, killer) = covering.Length > 0 ? Try(suite, mutant, covering)
        : reach.Ever.Contains(mutant.Id) ? TryAlone(mutant)
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

var unexplained = mutants.Where(mutant => results[mutant.Id] is "Survived" or "NoCoverage" && explanations.Of(mutant) is null).ToList();
foreach (var mutant in unexplained)
{
    Say($"{results[mutant.Id]} {mutant.File}:{mutant.Line} {mutant.Kind}: {mutant.Source} -> {mutant.Replacement}");
}

if (mutants.All(mutant => results[mutant.Id] is not null))
{
    Results.WriteSurvivors(
        Path.Combine(Path.GetDirectoryName(args[3])!, "survivors.tsv"),
        mutants.Where(mutant => results[mutant.Id] is "Survived" or "NoCoverage")
            .Select(mutant => (mutant, results[mutant.Id]!, explanations.Of(mutant) ?? "not explained")));
}

foreach (var group in mutants.GroupBy(mutant => results[mutant.Id] is "Survived" or "NoCoverage" ? explanations.Of(mutant) ?? "not explained" : results[mutant.Id]))
{
    Say($"{group.Count(),5} {group.Key}");
}

return unexplained.Count is 0 ? 0 : 1;

bool IsWanted(double seconds) => mode switch
{
    "quick" => seconds <= Quick,
    "rest" => seconds <= Long,
    _ => true,
};

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
            watch.Running = test.Name;
            var limit = TimeSpan.FromSeconds(3) + (20 * reach.SpentBy.GetValueOrDefault(test.Name));
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
