namespace SecureChat.Bench.Anomalies;

/// <summary>Somebody in the simulation.</summary>
/// <param name="Network">A /24 or /64; neighbours share it.</param>
/// <param name="Attack">Name of the detector that is to find them; null for honest people.</param>
/// <param name="Pace">0: as fast as the rate limits let them; 1: a tenth; 2: a fiftieth.</param>
internal sealed record Somebody(int Id, int Network, string? Attack, int Pace);

/// <summary>What somebody does at a door.</summary>
internal enum Deed
{
    AskForCode,
    EnterCode,
    SignUp,
    Fail,
    FetchNamed,
    FetchSealed,
    Miss,
    OpenSocket,
    WriteFirst,
    JoinRoom,
    Upload,
    FileEnds,
}

/// <param name="At">Seconds since the beginning.</param>
/// <param name="About">The other account, the range of a number, or a file.</param>
/// <param name="Weight">What a miss counts; of the end of a file, whether it was fetched.</param>
internal readonly record struct Event(double At, Deed Deed, Somebody Who, int About, double Weight);

/// <summary>A day of honest people: few do much, families and phone networks share addresses, a company arrives, a line breaks down.</summary>
internal sealed class Traffic
{
    public const double Day = 86_400;
    private const double Waking = 16 * 3600;
    private const double Outage = 8 * 3600;
    private const double LookUpsPerDay = 100;
    private const double FileLife = 3600;

    private readonly Chance _chance;
    private readonly List<Event> _events = [];
    private readonly List<Somebody> _people = [];
    private readonly int _count;
    private readonly int _carriers;
    private int _files;

    public Traffic(ulong seed, int people)
    {
        (_chance, _count) = (new Chance(seed), people);
        _carriers = Math.Max(1, people / 500);
        AddPeople();
        foreach (var one in _people)
        {
            AddDayOf(one);
        }

        // By dice of their own: what else happens in a day does not depend on them.
        var (calls, files) = (new Chance(seed + 2), new Chance(seed + 3));
        foreach (var one in _people)
        {
            AddCalls(one, calls);
            AddFiles(one, files);
        }
    }

    public IReadOnlyList<Somebody> People => _people;

    /// <summary>Networks of phone companies, where hundreds share an address; attackers may be among them.</summary>
    public int Carriers => _carriers;

    /// <summary>Everything that is done, in order.</summary>
    public List<Event> InOrder()
    {
        _events.Sort((one, other) => one.At.CompareTo(other.At));
        return _events;
    }

    public void Add(double at, Deed deed, Somebody who, int about = 0, double weight = 1)
    {
        if (at < Day)
        {
            _events.Add(new Event(at, deed, who, about, weight));
        }
    }

    /// <param name="fetchedAfter">In seconds; null: never.</param>
    public void Upload(double at, Somebody who, double? fetchedAfter)
    {
        Add(at, Deed.Upload, who, ++_files);
        Add(at + (fetchedAfter ?? FileLife), Deed.FileEnds, who, _files, weight: fetchedAfter is null ? 0 : 1);
    }

    // Two in five on phones behind carriers, two in five at home in threes, the rest in offices; three in a hundred in one that starts today.
    private void AddPeople()
    {
        for (var i = 0; i < _count; i++)
        {
            var network = (i % 100) switch
            {
                < 3 => Company,
                < 40 => _chance.Below(_carriers),
                < 80 => 10_000 + (i / 3),
                _ => 5_000 + (i / 200),
            };
            _people.Add(new Somebody(i, network, null, 0));
        }
    }

    private void AddDayOf(Somebody who)
    {
        // Zipf: the busiest of 10,000 begins some 190 conversations a day, the median one in two days.
        var busy = Math.Pow(1 + _chance.Below(_count), -0.7) * 0.3 * Math.Pow(_count, 0.7);
        AddSockets(who, busy);
        AddConversations(who, _chance.Times(busy));
        for (var i = _chance.Times(0.3 * Math.Sqrt(busy)); i > 0; i--)
        {
            if (_chance.Happens(0.1))
            {
                Add(Sometime(), Deed.Miss, who);
            }
        }

        // A right that was revoked, a token from before a restore.
        for (var i = _chance.Times(0.05 * Math.Sqrt(busy)); i > 0; i--)
        {
            Add(Sometime(), Deed.Fail, who);
        }

        if (who.Network == Company)
        {
            AddSignUp(who, _chance.Between(2 * 3600, 5 * 3600), range: _chance.Below(3));
            JoinGroup(who, _chance.Between(5 * 3600, 6 * 3600), _count * 3 / 100, 1200, isCompany: true);
        }
        else if (_chance.Happens(0.03))
        {
            AddSignUp(who, Sometime(), range: 10 + (int)(200 * Math.Pow(_chance.Share(), 2)));
        }

        if (_chance.Happens(0.01))
        {
            JoinGroup(who, Sometime(), (int)(20 * Math.Pow(12.5, _chance.Share())), _chance.Between(60, 1200));
        }

        if (_chance.Happens(0.0005))
        {
            JoinGroup(who, Sometime(), 1000, 1200);
        }
    }

    private void AddSockets(Somebody who, double busy)
    {
        for (var i = _chance.Times(12 * Math.Pow(busy, 0.3)); i > 0; i--)
        {
            Add(Sometime(), Deed.OpenSocket, who);
        }

        // Everybody is cut off at once, and tries again until it works, more and more slowly.
        for (var (at, pause) = (Outage + _chance.Between(0, 5), 1.0); at < Outage + 600; at += pause, pause *= 1.8)
        {
            Add(at, Deed.OpenSocket, who);
        }

        if (_chance.Happens(0.02))
        {
            // An hour on a train.
            for (var (i, start) = (_chance.Times(60), Sometime()); i > 0; i--)
            {
                Add(start + _chance.Between(0, 3600), Deed.OpenSocket, who);
            }
        }
    }

    private void AddConversations(Somebody who, int count)
    {
        for (var i = 0; i < count; i++)
        {
            Begin(who, Sometime(), _chance.Below(_count));
        }
    }

    // Three meetings a day on the hour, in offices for two in five; a call among friends now and then; one in ten comes back some times over a bad line.
    private void AddCalls(Somebody who, Chance chance)
    {
        var isInOffice = who.Network is Company or (>= 5_000 and < 10_000);
        foreach (var hour in (int[])[2, 5, 7])
        {
            if (isInOffice && chance.Happens(0.4))
            {
                JoinCall(who, (hour * 3600) + chance.Between(-60, 180), chance);
            }
        }

        if (chance.Happens(0.3))
        {
            JoinCall(who, chance.Between(0, Waking), chance);
        }
    }

    // Zipf as with conversations: the busiest sends some 400 files a day. One in five is for somebody who is not there while it lives.
    private void AddFiles(Somebody who, Chance chance)
    {
        var busy = Math.Pow(1 + chance.Below(_count), -0.7) * 0.3 * Math.Pow(_count, 0.7);
        for (var i = chance.Times(2 * busy); i > 0; i--)
        {
            Upload(chance.Between(0, Waking), who, chance.Happens(0.8) ? chance.Between(5, FileLife) : null);
        }
    }

    private void JoinCall(Somebody who, double at, Chance chance)
    {
        for (var joins = chance.Happens(0.1) ? chance.Times(5) : 1; joins > 0; joins--)
        {
            Add(at, Deed.JoinRoom, who);
            at += chance.Between(20, 300);
        }
    }

    // Most write without a name; then only the keys are fetched, from an address that others share.
    private void Begin(Somebody who, double at, int with)
    {
        var isSealed = _chance.Happens(0.7);
        Add(at, isSealed ? Deed.FetchSealed : Deed.FetchNamed, who, with);
        if (!isSealed)
        {
            Add(at + 1, Deed.WriteFirst, who, with);
        }
    }

    // Everybody's number ends with what kind of network they are in: the first three of each hundred are the company.
    private void JoinGroup(Somebody who, double at, int members, double within, bool isCompany = false)
    {
        for (var i = 0; i < members; i++)
        {
            var member = isCompany ? (i / 3 * 100) + (i % 3) : _chance.Below(_count);
            Begin(who, at + _chance.Between(0, within), member);
        }
    }

    private void AddSignUp(Somebody who, double at, int range)
    {
        for (var tries = 0; tries < 3; tries++)
        {
            Add(at, Deed.AskForCode, who, range);
            at += _chance.Between(20, 240);
            if (_chance.Happens(0.1))
            {
                Add(at - 5, Deed.Fail, who);
            }

            if (_chance.Happens(0.8))
            {
                Add(at, Deed.EnterCode, who, range);
                Add(at + 0.1, Deed.SignUp, who);
                break;
            }
        }

        if (_chance.Happens(0.5))
        {
            // Looks for its contacts, of which few are here.
            for (var i = _chance.Between(20, LookUpsPerDay); i > 0; i--)
            {
                if (_chance.Happens(0.85))
                {
                    Add(at + (i * 2), Deed.Miss, who, weight: 0.25);
                }
            }
        }
    }

    private double Sometime() => _chance.Between(0, Waking);

    private const int Company = 4_000;
}
