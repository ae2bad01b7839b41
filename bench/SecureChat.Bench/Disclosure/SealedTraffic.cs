using SecureChat.Bench.Anomalies;

namespace SecureChat.Bench.Disclosure;

/// <summary>When a device tells that a message arrived.</summary>
internal enum Receipts
{
    /// <summary>Never: what strangers get, and everybody who turned receipts off.</summary>
    None,

    /// <summary>1 to 30 seconds later, one for all that came meanwhile: what the SDK does. Spec: docs/protocol/content.md.</summary>
    Delayed,

    /// <summary>At once, as clients do that nobody told otherwise.</summary>
    AtOnce,
}

/// <summary>People who talk under sealed sender, as the server sees them: who gets something and when, and not from whom.</summary>
/// <remarks>
/// Everybody has 5 to 14 contacts, of which few get most (Zipf), and is awake for 16 hours a day. Conversations begin six times a
/// day; each goes back and forth with answers after half a minute at the median. Everybody is online, which helps who listens.
/// </remarks>
internal sealed class SealedTraffic
{
    public const double Day = 86_400;
    private const double Waking = 16 * 3600;
    private readonly Chance _chance;
    private readonly Receipts _receipts;
    private readonly List<(double At, int To)> _seen = [];
    private readonly Dictionary<(int From, int To), double> _waiting = [];

    public SealedTraffic(ulong seed, int people, int days, Receipts receipts)
    {
        (_chance, _receipts) = (new Chance(seed), receipts);
        Days = days;
        Sent = new int[people, people];
        var contacts = MakeContacts(people);
        var talks = new List<(double At, int One, int Other)>();
        for (var who = 0; who < people; who++)
        {
            for (var day = 0; day < days; day++)
            {
                for (var i = _chance.Times(6); i > 0; i--)
                {
                    talks.Add(((day * Day) + _chance.Between(0, Waking), who, Pick(contacts[who])));
                }
            }
        }

        foreach (var (at, one, other) in talks.OrderBy(talk => talk.At))
        {
            Talk(at, one, other);
        }

        _seen.Sort();
    }

    public int Days { get; }

    /// <summary>Everything that reached somebody, in order.</summary>
    public IReadOnlyList<(double At, int To)> Seen => _seen;

    /// <summary>Who sent how many messages to whom: what the server must not find out.</summary>
    public int[,] Sent { get; }

    private void Talk(double at, int one, int other)
    {
        for (var left = 1 + _chance.Times(3); left > 0; left--)
        {
            Sent[one, other]++;
            _seen.Add((at, other));
            Confirm(at, other, one);
            at += 30 * Math.Exp(1.2 * _chance.Normal());
            (one, other) = (other, one);
        }
    }

    private void Confirm(double at, int from, int to)
    {
        if (_receipts is Receipts.AtOnce)
        {
            _seen.Add((at + _chance.Between(0.1, 0.5), to));
        }
        else if (_receipts is Receipts.Delayed && !(_waiting.TryGetValue((from, to), out var until) && until > at))
        {
            _waiting[(from, to)] = at + _chance.Between(1, 30);
            _seen.Add((_waiting[(from, to)], to));
        }
    }

    private List<int>[] MakeContacts(int people)
    {
        var contacts = Enumerable.Range(0, people).Select(_ => new List<int>()).ToArray();
        for (var who = 0; who < people; who++)
        {
            for (var wanted = 3 + _chance.Below(5); wanted > 0; wanted--)
            {
                var other = _chance.Below(people);
                if (other != who && !contacts[who].Contains(other))
                {
                    contacts[who].Add(other);
                    contacts[other].Add(who);
                }
            }
        }

        return contacts;
    }

    private int Pick(List<int> contacts)
    {
        var share = _chance.Share() * Enumerable.Range(1, contacts.Count).Sum(rank => 1.0 / rank);
        for (var i = 0; i < contacts.Count; i++)
        {
            share -= 1.0 / (i + 1);
            if (share <= 0)
            {
                return contacts[i];
            }
        }

        return contacts[^1];
    }
}
