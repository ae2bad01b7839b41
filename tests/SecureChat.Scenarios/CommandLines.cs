using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>People who use the command line, as programs of their own.</summary>
public sealed class CommandLines(Worlds worlds, LibsignalPeer peer, ITestOutputHelper output)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static int Kills => int.Parse(Environment.GetEnvironmentVariable("CHAT_TEST_KILLS") ?? "12", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task Nothing_that_two_people_say_name_or_send_is_written_by_the_server(StorePair stores)
    {
        await using var world = await worlds.StartAsync(stores, peer, Ct);
        string[] words = [Canary("text"), Canary("nickname"), Canary("file"), Canary("content"), Canary("caption"), Canary("once"), Canary("edited"), Canary("title"), Canary("group")];
        using var alice = await CommandLine.RegisterAsync(world, Canary("alice") + "@canary.example", Ct);
        using var bob = await CommandLine.RegisterAsync(world, Canary("bob") + "@canary.example", Ct);
        var file = alice.FileOf(words[2], Encoding.UTF8.GetBytes(words[3]));

        await alice.RunAsync(Ct, "contacts", "add", words[1], bob.Account.ToString());
        var sent = (await alice.RunAsync(Ct, "send", words[1], words[0])).Single().GetProperty("id").GetString()!;
        await alice.RunAsync(Ct, "file", "send", words[1], file, "--caption", words[4]);
        await alice.RunAsync(Ct, "send", words[1], words[5], "--view-once");
        await alice.RunAsync(Ct, "group", "new", words[7], words[1]);
        await alice.RunAsync(Ct, "send", words[7], words[8]);
        var recovery = (await alice.RunAsync(Ct, "backup", "new-key")).Single().GetProperty("key").GetString()!;
        alice.FileOf(CommandLine.RecoveryKey, Encoding.UTF8.GetBytes(recovery));
        await alice.RunAsync(Ct, "backup", "to-server");
        var whileItWaits = Haystack.Of(world);
        await alice.RunAsync(Ct, "message", "edit", sent, words[6]);
        var heard = Messages(await bob.RunAsync(Ct, "receive"));
        var fetched = Path.Combine(Path.GetDirectoryName(bob.FollowLog)!, "fetched");
        await bob.RunAsync(Ct, "file", "get", heard.Single(message => message.GetProperty("file").ValueKind == JsonValueKind.Object).GetProperty("id").GetString()!, "--out", fetched);
        var opened = await bob.RunAsync(Ct, "open", heard.Single(message => message.GetProperty("viewOnce").GetBoolean()).GetProperty("id").GetString()!);

        Assert.Contains(heard, message => message.GetProperty("text").GetString() == words[8]);
        Assert.Equal(words[5], opened.Single().GetProperty("text").GetString());
        Assert.Equal(words[3], await File.ReadAllTextAsync(fetched, Ct));
        var afterwards = Haystack.Of(world);
        afterwards.Add("metrics", await Canaries.ReadMetricsAsync(world.Server));

        // As the list of a group's members has it: field 1, 16 bytes; field 2, 33 bytes.
        byte[] member = [0x0A, 16, .. bob.Account.ToByteArray(bigEndian: true), 0x12, 33];
        Assert.Empty(whileItWaits.Find(member));
        Assert.Empty(afterwards.Find(member));
        foreach (var word in words.Append(recovery))
        {
            Assert.Empty(whileItWaits.Find(word));
            Assert.Empty(afterwards.Find(word));
        }

        // The search can find: the account's id is in the database, in bytes.
        Assert.NotEmpty(whileItWaits.Find(bob.Account.ToByteArray(bigEndian: true)));
    }

    [Fact]
    public async Task A_recipient_killed_at_any_moment_loses_nothing_and_keeps_nothing_twice()
    {
        string[] words = [Canary("message"), Canary("alice"), Canary("bob")];
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct);
        using var alice = await CommandLine.RegisterAsync(world, words[1] + "@canary.example", Ct);
        using var bob = await CommandLine.RegisterAsync(world, words[2] + "@canary.example", Ct);
        using var writing = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var written = WriteAsync(alice, bob.Account, words[0], writing.Token);

        for (var kill = 0; kill < Kills; kill++)
        {
            var before = Followed(bob).Count;
            await using var program = bob.Follow();
            if (kill % 2 == 0)
            {
                await program.WaitUntilAsync(() => Task.FromResult(Followed(bob).Count > before), Ct);
            }

            // Amid what comes, or at any moment from its start, from before it has opened its store.
            await Task.Delay(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(0, kill % 2 == 0 ? 2000 : 3000)), TimeProvider.System, Ct);
            await program.KillAsync(Ct);
        }

        await writing.CancelAsync();
        var texts = await written;
        await AssertUnseenAsync(world, alice.Account, words);
        await bob.RunAsync(Ct, "receive");
        var kept = await HistoryAsync(bob, alice.Account);
        var shown = Followed(bob).Count;

        output.WriteLine($"{Kills} kills, {texts.Count} messages sent, {kept.Count} kept, {kept.Count - kept.Distinct().Count()} twice, {shown} printed before the end");
        Assert.Equal(texts, kept);
        await AssertUnseenAsync(world, alice.Account, words);
    }

    [Fact]
    public async Task A_sender_killed_at_any_moment_sends_all_that_it_kept_and_nothing_twice()
    {
        string[] words = [Canary("message"), Canary("alice"), Canary("bob")];
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct);
        using var alice = await CommandLine.RegisterAsync(world, words[1] + "@canary.example", Ct);
        using var bob = await CommandLine.RegisterAsync(world, words[2] + "@canary.example", Ct);
        var (begun, kept) = (new List<string>(), new List<string>());
        await using (var following = bob.Follow())
        {
            for (var kill = 0; kill < Kills; kill++)
            {
                await using var chat = alice.Chat(bob.Account);
                var first = new TaskCompletionSource();
                var writing = WriteUntilKilledAsync(chat, words[0], begun, kept, first);
                await (kill % 2 == 0 ? first.Task : Task.CompletedTask);

                // Amid its sending, or at any moment from its start.
                await Task.Delay(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(0, kill % 2 == 0 ? 2000 : 3000)), TimeProvider.System, Ct);
                await chat.KillAsync(Ct);
                await writing;
            }

            await AssertUnseenAsync(world, alice.Account, words);
            await alice.RunAsync(Ct, "receive");
            await following.WaitUntilAsync(() => Task.FromResult(kept.TrueForAll(Followed(bob).Contains)), Ct);
        }

        await bob.RunAsync(Ct, "receive");
        var (shown, history) = (Followed(bob), await HistoryAsync(bob, alice.Account));
        output.WriteLine($"{Kills} kills, {begun.Count} messages begun, {kept.Count} kept by the sender, {shown.Count} shown, {shown.Count - shown.Distinct().Count()} twice");
        Assert.True(kept.Count >= Kills / 2, "it hardly came to send anything");
        Assert.Empty(kept.Except(shown));

        // Each once, in order; what was only begun may be there or not.
        Assert.Equal(begun.Where(shown.Contains), shown);
        Assert.Equal(shown, history);
        await AssertUnseenAsync(world, alice.Account, words);
    }

    [Fact]
    public async Task The_sample_of_fifteen_lines_signs_up_writes_and_reads_the_answer()
    {
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct);
        using var bob = await CommandLine.RegisterAsync(world, Canary("bob") + "@canary.example", Ct);
        var folder = Directory.CreateTempSubdirectory("securechat-sample-");
        var program = AppContext.BaseDirectory.Replace(
            Path.Combine("tests", "SecureChat.Scenarios"), Path.Combine("samples", "FirstMessage"), StringComparison.Ordinal);
        var start = new ProcessStartInfo(
            Path.Combine(program, "FirstMessage"), [world.Server.Api.ToString(), await world.Server.InviteAsync(Ct), bob.Account.ToString()])
        {
            WorkingDirectory = folder.FullName,
            RedirectStandardOutput = true,
        };
        using var sample = Process.Start(start)!;
        try
        {
            List<JsonElement> heard = [];
            while (heard.Count == 0)
            {
                Assert.False(sample.HasExited);
                heard = Messages(await bob.RunAsync(Ct, "receive"));
            }

            await bob.RunAsync(Ct, "send", heard[0].GetProperty("sender").GetString()!, "I read it.");

            Assert.Equal("Hello. Only you can read this.", heard.Single().GetProperty("text").GetString());
            Assert.Equal($"{bob.Account}: I read it.", await sample.StandardOutput.ReadLineAsync(Ct));
        }
        finally
        {
            sample.Kill();
            await sample.WaitForExitAsync(CancellationToken.None);
            folder.Delete(recursive: true);
        }
    }

    // One program that chats line by line, so that messages keep coming while the other is killed.
    private static async Task<List<string>> WriteAsync(CommandLine alice, Guid to, string word, CancellationToken ct)
    {
        var texts = new List<string>();
        await using var chat = alice.Chat(to);
        try
        {
            while (true)
            {
                var text = string.Create(CultureInfo.InvariantCulture, $"{word} {texts.Count + 1}");

                // What is once begun is finished: only then is it known whether it was sent.
                await chat.WriteAsync(text, Ct);
                texts.Add(text);
                await Task.Delay(TimeSpan.FromMilliseconds(25), TimeProvider.System, ct);
            }
        }
        catch (OperationCanceledException)
        {
            // Enough were killed.
        }

        await chat.EndAsync(Ct);
        return texts;
    }

    private static async Task WriteUntilKilledAsync(
        Chatting chat, string word, List<string> begun, List<string> kept, TaskCompletionSource first)
    {
        try
        {
            while (true)
            {
                begun.Add(string.Create(CultureInfo.InvariantCulture, $"{word} {begun.Count + 1}"));
                await chat.WriteAsync(begun[^1], Ct);
                kept.Add(begun[^1]);
                first.TrySetResult();
                await Task.Delay(TimeSpan.FromMilliseconds(25), TimeProvider.System, Ct);
            }
        }
        catch (IOException)
        {
            // It was killed.
            first.TrySetResult();
        }
    }

    // What the recipient's program has printed so far, each time that it did.
    private static List<string> Followed(CommandLine person)
    {
        using var log = new StreamReader(new FileStream(person.FollowLog, FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite));
        var whole = log.ReadToEnd();
        return TextsOf(Messages([.. whole[..(whole.LastIndexOf('\n') + 1)].Split('\n')
            .Where(line => line.StartsWith('{')).Select(line => JsonDocument.Parse(line).RootElement)]));
    }

    private static async Task<List<string>> HistoryAsync(CommandLine person, Guid with) =>
        TextsOf(Messages(await person.RunAsync(Ct, "history", with.ToString(), "--last", "1000000")));

    private static List<string> TextsOf(IEnumerable<JsonElement> messages) => [.. messages.Select(message => message.GetProperty("text").GetString()!)];

    // Neither words nor addresses are in the server's files, logs or metrics; the search can find: an account's id is, in bytes.
    internal static async Task AssertUnseenAsync(World world, Guid account, IEnumerable<string> words)
    {
        var haystack = Haystack.Of(world);
        haystack.Add("metrics", await Canaries.ReadMetricsAsync(world.Server));
        Assert.All(words, word => Assert.Empty(haystack.Find(word)));
        Assert.NotEmpty(haystack.Find(account.ToByteArray(bigEndian: true)));
    }

    internal static string Canary(string what) => $"{what}-{RandomNumberGenerator.GetHexString(24, lowercase: true)}";

    internal static List<JsonElement> Messages(IReadOnlyList<JsonElement> told) =>
        [.. told.Where(one => one.GetProperty("type").GetString() == "message")];
}
