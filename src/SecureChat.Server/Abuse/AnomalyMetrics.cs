using System.Diagnostics.Metrics;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Abuse;

/// <summary>Counts of detectors, grades and what followed. No label ever holds an identifier.</summary>
internal sealed class AnomalyMetrics
{
    private readonly Meter _meter;
    private readonly Counter<long> _raised;
    private readonly Counter<long> _actions;

    public AnomalyMetrics(IMeterFactory meters)
    {
        _meter = meters.Create("SecureChat.Abuse");
        _raised = _meter.CreateCounter<long>(
            "securechat.anomalies.raised", "{actor}", "Actors whose grade rose, by detector and new grade.");
        _actions = _meter.CreateCounter<long>(
            "securechat.anomalies.actions", "{request}", "Requests that were slowed down, asked for work, let in after work, or refused.");
    }

    /// <summary>Publishes how many actors are suspected now.</summary>
    public void Watch(Suspects suspects) => _meter.CreateObservableGauge(
        "securechat.anomalies.actors",
        () => suspects.All()
            .GroupBy(one => (one.Actor.Detector, Grade: one.Actor.Detector.GradeOf(one.Level)))
            .Select(group => new Measurement<int>(group.Count(), Detector(group.Key.Detector.Name), GradeLabel(group.Key.Grade))),
        "{actor}",
        "Actors under each detector's grades, on this node.");

    public void Raised(Detector detector, Grade grade) => _raised.Add(1, Detector(detector.Name), GradeLabel(grade));

    /// <param name="detector">A detector's name, or <c>code-budget</c> and <c>code-budget-range</c>.</param>
    /// <param name="action"><c>slowed</c>, <c>work-asked</c>, <c>work-done</c> or <c>refused</c>.</param>
    public void Acted(string detector, string action) =>
        _actions.Add(1, Detector(detector), new KeyValuePair<string, object?>(MetricLabels.Action, action));

    private static KeyValuePair<string, object?> Detector(string name) => new KeyValuePair<string, object?>(MetricLabels.Detector, name);

    private static KeyValuePair<string, object?> GradeLabel(Grade grade) =>
        new KeyValuePair<string, object?>(MetricLabels.Grade, AnomalyReport.NameOf(grade));
}
