using System.Diagnostics;
using System.Globalization;

namespace SecureChat.Mutation;

/// <summary>Which mutants each test reaches, and how long it takes.</summary>
/// <param name="Of">By the test's name; tests that fail without a mutant are not in it.</param>
/// <param name="SpentBy">By the test's name.</param>
/// <param name="Ever">What any test reaches, or the making of static fields.</param>
internal sealed record Reach(Dictionary<string, HashSet<int>> Of, Dictionary<string, TimeSpan> SpentBy, HashSet<int> Ever)
{
    private const string Any = "any";

    /// <summary>Runs all tests, twice: the first time makes the static fields, so that what the second reaches is reached each time.</summary>
    public static Reach Measure(Suite suite, IReadOnlyList<Suite.Case> cases, Watch watch, Action<string> say)
    {
        var reach = new Reach([], [], []);
        foreach (var pass in new[] { 1, 2 })
        {
            foreach (var test in cases)
            {
                Exception? failure = null;
                watch.Running = test.Name;
                var began = Stopwatch.GetTimestamp();
                HashSet<int> reached = [.. suite.Reached(() => watch.Run(test.Run, TimeSpan.FromMinutes(3), out failure))];
                reach.Ever.UnionWith(reached);
                if (pass == 2 && failure is null)
                {
                    (reach.Of[test.Name], reach.SpentBy[test.Name]) = (reached, Stopwatch.GetElapsedTime(began));
                }
                else if (failure is not null)
                {
                    say($"left out, fails without a mutant: {test.Name}: {failure.GetType().Name} {failure.Message.Split('\n')[0]}");
                }
            }
        }

        return reach;
    }

    /// <summary>Of a run that another goes on with.</summary>
    public static Reach Read(string path)
    {
        var reach = new Reach([], [], []);
        foreach (var cells in File.ReadLines(path).Select(line => line.Split('\t')))
        {
            HashSet<int> reached = [.. cells[2].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(id => int.Parse(id, CultureInfo.InvariantCulture))];
            if (cells[0] == Any)
            {
                reach.Ever.UnionWith(reached);
                continue;
            }

            reach.Of[cells[0]] = reached;
            reach.SpentBy[cells[0]] = TimeSpan.FromSeconds(double.Parse(cells[1], CultureInfo.InvariantCulture));
        }

        return reach;
    }

    public void Write(string path) => File.WriteAllLines(
        path, Of.Select(test => Line(test.Key, SpentBy[test.Key], test.Value)).Append(Line(Any, TimeSpan.Zero, Ever)));

    private static string Line(string test, TimeSpan spent, HashSet<int> reached) =>
        string.Create(CultureInfo.InvariantCulture, $"{test}\t{spent.TotalSeconds}\t{string.Join(',', reached)}");
}
