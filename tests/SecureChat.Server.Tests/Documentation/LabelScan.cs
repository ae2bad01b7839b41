using System.Diagnostics.Metrics;
using SecureChat.Server.Hosting;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Documentation;

/// <summary>Hears every measurement of one node's meters, and notes what their labels are called, as the operator reads them.</summary>
internal sealed class LabelScan : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly HashSet<string> _names = [];

    public LabelScan(Node node)
    {
        var own = node.Get<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // Meters of other nodes in this process have another scope.
            if (ReferenceEquals(instrument.Meter.Scope, own) && (
                instrument.Meter.Name.StartsWith(Metrics.MeterPrefix, StringComparison.Ordinal) || instrument.Meter.Name is "Microsoft.AspNetCore.Hosting"))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>((_, _, labels, _) => Note(labels));
        _listener.SetMeasurementEventCallback<long>((_, _, labels, _) => Note(labels));
        _listener.SetMeasurementEventCallback<double>((_, _, labels, _) => Note(labels));
        _listener.Start();
    }

    /// <summary>What was heard until now, and what is shown when the operator asks now.</summary>
    public IReadOnlySet<string> Names()
    {
        _listener.RecordObservableInstruments();
        lock (_names)
        {
            return _names.ToHashSet();
        }
    }

    public void Dispose() => _listener.Dispose();

    private void Note(ReadOnlySpan<KeyValuePair<string, object?>> labels)
    {
        lock (_names)
        {
            foreach (var label in labels)
            {
                _names.Add(label.Key.Replace('.', '_'));
            }
        }
    }
}
