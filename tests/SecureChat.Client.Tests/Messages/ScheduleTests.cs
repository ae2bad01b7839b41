using System.Globalization;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;

#pragma warning disable RS0030 // A schedule is the same in every run.

namespace SecureChat.Client.Tests.Messages;

/// <summary>Two devices that come and go, at random, over days: what the server forgets the outbox sends again.</summary>
/// <remarks><c>CHAT_TEST_SCHEDULES</c> says how many pairs of days are played (default 100).</remarks>
public sealed class ScheduleTests(ITestOutputHelper output)
{
    private const int PairsAtOnce = 100;
    private const int Texts = 3;

    private static readonly TimeSpan Step = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(120);
    private static readonly TimeSpan Day = TimeSpan.FromHours(16);
    private static readonly TimeSpan GiveUpAfter = TimeSpan.FromDays(2);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static int Count => int.Parse(Environment.GetEnvironmentVariable("CHAT_TEST_SCHEDULES") ?? "100", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(120)]
    [InlineData(30)]
    public async Task Who_is_there_within_one_life_of_the_other_gets_everything_once_and_in_order(int minutes)
    {
        var (count, life) = (Count * minutes / 120, TimeSpan.FromMinutes(minutes));

        var delays = await DelaysAsync(count, life, (random, first) => Near(random, first, life), stays: false);

        Report($"{count} schedules, a life of {minutes} min, the other within it", delays);
        Assert.Equal(count * Texts, delays.Count);
    }

    [Theory]
    [InlineData(120)]
    [InlineData(30)]
    public async Task Whoever_comes_first_and_whenever_nothing_is_lost_shown_twice_or_out_of_order_once_both_are_there(int minutes)
    {
        var (count, life) = (Count * minutes / 480, TimeSpan.FromMinutes(minutes));

        var delays = await DelaysAsync(count, life, Around, stays: true);

        Report($"{count} schedules, a life of {minutes} min, the other up to 120 min before or after", delays);
        Assert.Equal(count * Texts, delays.Count);
    }

    [Fact]
    public async Task Who_is_never_there_in_time_is_told_of_and_nothing_is_said_to_have_arrived_that_has_not()
    {
        var (delivered, told, seed) = (0, 0, 1_000_000);
        for (var done = 0; done < Count / 4; done += PairsAtOnce)
        {
            await using var world = await World.StartAsync();
            var pairs = new List<Pair>();
            for (var i = 0; i < Math.Min(PairsAtOnce, (Count / 4) - done); i++)
            {
                // Some hours apart, each time: now and then it is soon enough.
                var random = new Random(seed++);
                var first = Windows(random);
                var second = first.Select(window => new Window(window.Begin + Life + Minutes(random, -30, 120), Minutes(random, 4, 20))).ToList();
                pairs.Add(await Pair.MakeAsync(world, first, second, random, Life));
            }

            await PlayAsync(world, pairs, Day + Life);
            foreach (var pair in pairs)
            {
                // Back for good, and out of patience.
                await ConnectAsync(pair.Alice);
            }

            await world.PassAsync(GiveUpAfter + TimeSpan.FromDays(1));
            foreach (var pair in pairs)
            {
                var shown = pair.Shown;
                Assert.Equal(shown.Distinct(), shown);
                foreach (var message in (await pair.Alice.Client.MessagesAsync(pair.Bob.Account, Ct)).Where(message => message.Text!.Length > 10))
                {
                    var isThere = shown.Contains(message.Text!);
                    delivered += isThere ? 1 : 0;
                    told += message.Progress == Progress.NotDelivered ? 1 : 0;
                    Assert.True(isThere || message.Progress == Progress.NotDelivered, $"{message.Progress}, but it is not there");
                }
            }
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Count / 4} schedules: {delivered} texts arrived, {told} told as not delivered"));
        Assert.InRange(told, 1, (Count / 4 * Texts) - 1);
    }

    /// <summary>Plays so many pairs of days; everything must come, once and in order.</summary>
    /// <param name="stays">Whether both are there for good at the end.</param>
    private static async Task<List<TimeSpan>> DelaysAsync(
        int count, TimeSpan life, Func<Random, List<Window>, List<Window>> second, bool stays)
    {
        var delays = new List<TimeSpan>();
        var seed = 1;
        for (var done = 0; done < count; done += PairsAtOnce)
        {
            await using var world = await World.StartAsync(("Messages:Life", life.ToString("c", CultureInfo.InvariantCulture)));
            var pairs = new List<Pair>();
            for (var i = 0; i < Math.Min(PairsAtOnce, count - done); i++)
            {
                var random = new Random(seed++);
                var first = Windows(random);
                pairs.Add(await Pair.MakeAsync(world, first, second(random, first), random, life));
            }

            await PlayAsync(world, pairs, Day + Life);
            foreach (var person in pairs.Where(_ => stays).SelectMany(pair => new[] { pair.Alice, pair.Bob }))
            {
                await ConnectAsync(person);
            }

            for (var i = 0; stays && i < 10; i++)
            {
                await world.PassAsync(TimeSpan.FromMinutes(1));
            }

            foreach (var pair in pairs)
            {
                Assert.Equal(pair.Expected, pair.Shown);
                delays.AddRange(await pair.DelaysAsync());
            }
        }

        delays.Sort();
        return delays;
    }

    private void Report(string what, List<TimeSpan> delays) => output.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"{what}: {delays.Count} texts, 0 lost, 0 twice; delay: median {At(delays, 50)} min, 90 %: {At(delays, 90)}, 99 %: {At(delays, 99)}, longest {At(delays, 100)}"));

    private static TimeSpan Minutes(Random random, int least, int most) => TimeSpan.FromMinutes(random.Next(least, most + 1));

    private static double At(List<TimeSpan> sorted, int percent) =>
        Math.Round(sorted[Math.Min(sorted.Count - 1, sorted.Count * percent / 100)].TotalMinutes, 1);

    // Online for minutes, away for up to hours.
    private static List<Window> Windows(Random random)
    {
        var windows = new List<Window>();
        for (var at = Minutes(random, 0, 60); at < Day - TimeSpan.FromHours(4); at += Minutes(random, 20, 240))
        {
            windows.Add(new Window(at, Minutes(random, 4, 40)));
            at += windows[^1].Length;
        }

        return windows;
    }

    // For each time that the one comes the other does too, within one life of what the server keeps.
    private static List<Window> Near(Random random, List<Window> others, TimeSpan life) =>
        [.. others.Select(other => new Window(other.Begin + Minutes(random, 0, (int)(life * 7 / 8).TotalMinutes - 2), Minutes(random, 4, 40)))];

    // The same, or before it, up to two hours: the last time may be too late, or too early.
    private static List<Window> Around(Random random, List<Window> others) =>
        [.. others.Select(other => new Window(other.Begin + Minutes(random, -120, 120), Minutes(random, 4, 40)))];

    private static async Task PlayAsync(World world, List<Pair> pairs, TimeSpan length)
    {
        // They know each other: receipts for the first words are under way for half a minute at most.
        for (var i = 0; i < 40; i++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(1));
        }

        foreach (var pair in pairs)
        {
            Assert.Equal(Progress.Delivered, (await pair.Alice.Client.MessagesAsync(pair.Bob.Account, Ct))[0].Progress);
            await pair.Alice.Client.DisconnectAsync(Ct);
            await pair.Bob.Client.DisconnectAsync(Ct);
        }

        for (var at = TimeSpan.Zero; at < length; at += Step)
        {
            foreach (var pair in pairs)
            {
                await pair.GoOnAsync(at);
            }

            await world.PassAsync(Step);
        }
    }

    // A server that went away would otherwise be waited for on a clock that nobody steps meanwhile.
    private static Task ConnectAsync(Person person) => person.Client.ConnectAsync(Ct).WaitAsync(TimeSpan.FromMinutes(2), Ct);

    private sealed record Window(TimeSpan Begin, TimeSpan Length)
    {
        public bool Has(TimeSpan at) => at >= Begin && at < Begin + Length;
    }

    /// <summary>Alice writes to Bob, whether she is online or not; both come and go.</summary>
    private sealed class Pair
    {
        private readonly List<Window> _first;
        private readonly List<Window> _second;
        private readonly Queue<TimeSpan> _times;
        private readonly int _name;
        private (bool Alice, bool Bob) _online;

        private Pair(Person alice, Person bob, List<Window> first, List<Window> second, Random random)
        {
            (Alice, Bob, _first, _second, _name) = (alice, bob, first, second, random.Next());

            // Written while she is there or before, so that there is a time at which they leave.
            var last = first[^1].Begin;
            _times = new Queue<TimeSpan>(Enumerable.Range(0, Texts).Select(_ => last * random.NextDouble()).Order());
        }

        public Person Alice { get; }

        public Person Bob { get; }

        public List<string> Expected { get; } = [];

        public static async Task<Pair> MakeAsync(World world, List<Window> first, List<Window> second, Random random, TimeSpan life)
        {
            var (alice, bob) = (
                await world.PersonAsync(options => options with { GiveUpAfter = GiveUpAfter, ServerLife = life }),
                await world.PersonAsync(options => options with { GiveUpAfter = GiveUpAfter, ServerLife = life }));
            await alice.SendAsync(bob, "hello");
            await bob.TextAsync("hello");
            await bob.Client.AcceptAsync(alice.Account, Ct);
            return new Pair(alice, bob, first, second, random);
        }

        public async Task GoOnAsync(TimeSpan at)
        {
            _online.Alice = await BeAsync(Alice, _online.Alice, _first.Exists(window => window.Has(at)));
            _online.Bob = await BeAsync(Bob, _online.Bob, _second.Exists(window => window.Has(at)));
            while (_times.TryPeek(out var due) && due <= at)
            {
                _times.Dequeue();
                Expected.Add(string.Create(CultureInfo.InvariantCulture, $"text {Expected.Count} of {_name}"));
                await Alice.SendAsync(Bob, Expected[^1]);
            }
        }

        /// <summary>What Bob was told of, each time that he was.</summary>
        public List<string> Shown => [.. Bob.Events<MessageReceived>().Select(told => told.Message.Text!).Where(text => text != "hello")];

        public async Task<IEnumerable<TimeSpan>> DelaysAsync() => (await Bob.Client.MessagesAsync(Alice.Account, Ct))
            .Where(message => message.Text != "hello").Select(message => message.Record.ReceivedAt.ToTime() - message.SentAt);

        private static async Task<bool> BeAsync(Person person, bool isOnline, bool beOnline)
        {
            if (beOnline && !isOnline)
            {
                await ConnectAsync(person);
            }
            else if (!beOnline && isOnline)
            {
                await person.Client.DisconnectAsync(Ct);
            }

            return beOnline;
        }
    }
}
