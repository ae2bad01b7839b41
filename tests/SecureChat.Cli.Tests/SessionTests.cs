using SecureChat.Cli.Tests.Support;

namespace SecureChat.Cli.Tests;

/// <summary>Commands that run at the same time.</summary>
public sealed class SessionTests : CommandTests
{
    [Fact]
    public async Task A_message_shows_at_once_in_a_terminal_that_follows()
    {
        var (alice, bob) = (await RegisterAsync("alice"), await RegisterAsync("bob"));
        using var follower = Host();
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var following = Program.RunAsync(["-p", "bob", "receive", "--follow"], follower, ends.Token);

        await RunAsync("-p", "alice", "send", bob, "are you there?");
        await UntilAsync(() => follower.Screen.Contains($"{alice}  are you there?", StringComparison.Ordinal));
        await ends.CancelAsync();

        Assert.Equal(0, await following);
    }

    [Fact]
    public async Task A_second_program_on_the_same_profile_is_told_so()
    {
        await RegisterAsync("alice");
        using var follower = Host();
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var following = Program.RunAsync(["-p", "alice", "--json", "receive", "-f"], follower, ends.Token);
        await UntilAsync(() => follower.Screen.Contains("\"connected\":true", StringComparison.Ordinal));
        using var second = Host();

        Assert.Equal(3, await Program.RunAsync(["-p", "alice", "whoami"], second, Ct));

        Assert.Contains("open in another process", second.Screen, StringComparison.Ordinal);
        await ends.CancelAsync();
        await following;
    }

    [Theory]
    [InlineData("y", true)]
    [InlineData("n", false)]
    public async Task A_device_is_linked_only_when_the_person_says_that_the_numbers_are_the_same(string answer, bool isLinked)
    {
        var account = await RegisterAsync("phone");
        using var laptop = Host();
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var linking = Program.RunAsync(["-p", "laptop", "link", "--server", "http://localhost"], laptop, ends.Token);
        await UntilAsync(() => laptop.Screen.Contains("devices add ", StringComparison.Ordinal));
        var code = laptop.Screen.Split("devices add ")[1].Split('\n')[0];
        using var phone = Host();
        phone.Answer = (_, _) => ValueTask.FromResult<string?>(answer);

        var ended = await Program.RunAsync(["-p", "phone", "devices", "add", code], phone, Ct);
        Assert.Equal(isLinked ? 0 : 8, ended);
        await UntilAsync(() => NumberIn(laptop.Screen) is not null);
        Assert.Equal(NumberIn(laptop.Screen), NumberIn(phone.Screen));
        if (isLinked)
        {
            Assert.Equal(0, await linking);
            Assert.Contains($"This is device 2 of {account}.", laptop.Screen, StringComparison.Ordinal);
            Assert.Contains("\"device\":2", await RunAsync("-p", "phone", "devices", "--json"), StringComparison.Ordinal);
        }
        else
        {
            await ends.CancelAsync();
            Assert.Equal(130, await linking);
            Assert.DoesNotContain("\"device\":2", await RunAsync("-p", "phone", "devices", "--json"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_message_without_a_network_is_kept_and_goes_out_with_the_next_command()
    {
        var (_, bob) = (await RegisterAsync("alice"), await RegisterAsync("bob"));
        Server.Network.IsDown = true;
        using var cut = Host();

        Assert.Equal(4, await Program.RunAsync(["-p", "alice", "send", bob, "sent in a tunnel"], cut, Ct));
        Server.Network.IsDown = false;
        await RunAsync("-p", "alice", "receive");

        Assert.Contains("sent in a tunnel", await RunAsync("-p", "bob", "receive"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_passphrase_opens_the_same_store_however_its_accents_were_typed()
    {
        var passphrase = Path.Combine(Home.FullName, "passphrase");
        await File.WriteAllTextAsync(passphrase, "Gr\u00fcn und \u00c5ngstrom", Ct);
        await RegisterAsync("alice");

        await File.WriteAllTextAsync(passphrase, "Gru\u0308n und A\u030angstrom", Ct);

        Assert.Contains("account", await RunAsync("-p", "alice", "whoami"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8192, 0)]
    [InlineData(8193, 2)]
    public async Task A_preview_has_8_KiB_at_most(int bytes, int code)
    {
        var (_, bob) = (await RegisterAsync("alice"), await RegisterAsync("bob"));
        var picture = Path.Combine(Home.FullName, "picture.jpg");
        await File.WriteAllBytesAsync(picture, new byte[bytes], Ct);
        using var host = Host();

        Assert.Equal(code, await Program.RunAsync(["-p", "alice", "file", "send", bob, picture, "--preview", picture], host, Ct));
        Assert.Equal(code == 0, (await RunAsync("-p", "bob", "receive")).Contains("picture.jpg", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_that_opens_once_is_still_there_when_its_way_was_cut()
    {
        var (alice, bob) = (await RegisterAsync("alice"), await RegisterAsync("bob"));
        var (sent, fetched) = (Path.Combine(Home.FullName, "sent.txt"), Path.Combine(Home.FullName, "fetched.txt"));
        await File.WriteAllTextAsync(sent, "once", Ct);
        await RunAsync("-p", "alice", "file", "send", bob, sent, "--view-once");
        var id = (await RunAsync("-p", "bob", "receive")).Split("securechat file get ")[1][..8];
        using var cut = Host();
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        Server.Network.Delay = (request, ct) => request.RequestUri!.AbsolutePath.StartsWith("/v1/media/", StringComparison.Ordinal) ? ends.CancelAsync() : Task.CompletedTask;

        Assert.Equal(130, await Program.RunAsync(["-p", "bob", "file", "get", id, "--out", fetched], cut, ends.Token));
        Assert.False(File.Exists(fetched));
        Server.Network.Delay = (_, _) => Task.CompletedTask;
        await RunAsync("-p", "bob", "file", "get", id, "--out", fetched);

        Assert.Equal("once", await File.ReadAllTextAsync(fetched, Ct));
        Assert.DoesNotContain(id, await RunAsync("-p", "bob", "history", alice, "--ids"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_whole_screen_shows_a_conversation_and_what_is_typed()
    {
        var (alice, bob) = (await RegisterAsync("alice"), await RegisterAsync("bob"));
        await RunAsync("-p", "alice", "contacts", "add", "bob", bob);
        await RunAsync("-p", "bob", "send", alice, "from bob");
        using var host = Host(isPerson: true);
        Type(host, "hi bob\r");
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var chatting = Program.RunAsync(["-p", "alice", "chat", "bob"], host, ends.Token);

        await UntilAsync(() => host.Screen.Contains("from bob", StringComparison.Ordinal) && host.Screen.Contains("hi bob  (sent)", StringComparison.Ordinal));
        Type(host, "/quit\r");

        Assert.Equal(0, await chatting);
        Assert.Contains("hi bob", await RunAsync("-p", "bob", "receive"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_conversation_line_by_line_is_json_for_programs()
    {
        var (_, bob) = (await RegisterAsync("alice"), await RegisterAsync("bob"));
        var lines = new Queue<string>(["one", "two"]);
        using var host = Host();
        host.Answer = (_, _) => ValueTask.FromResult(lines.TryDequeue(out var line) ? line : null);

        Assert.Equal(0, await Program.RunAsync(["-p", "alice", "chat", bob, "--json"], host, Ct));

        Assert.Null(JsonTable.Difference(host.Printed));
        Assert.Equal(2, host.Printed.Split('\n').Count(line => JsonTable.TypeOf(line) == "sent"));
    }

    [Fact]
    public async Task The_demo_is_json_for_programs()
    {
        using var host = Host();

        Assert.Equal(0, await Program.RunAsync(["demo", "--json"], host, Ct));

        Assert.Null(JsonTable.Difference(host.Printed));
        Assert.Equal(["chapter", "told"], host.Printed.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(JsonTable.TypeOf).Distinct());
    }

    [Fact]
    public async Task Nothing_that_others_write_reaches_the_terminal_as_a_command()
    {
        var (_, bob) = (await RegisterAsync("alice"), await RegisterAsync("bob"));
        await RunAsync("-p", "alice", "send", bob, "red \u001b[31m, title \u001b]0;owned\u0007, turned \u202egnp.exe");

        var shown = await RunAsync("-p", "bob", "receive");

        Assert.Contains("red ", shown, StringComparison.Ordinal);
        Assert.DoesNotContain(shown, symbol => symbol is '\u001b' or '\u0007' or '\u202e');
    }

    private static string? NumberIn(string screen) => screen.Split("the same number: ") is [_, var rest, ..] ? rest[..7] : null;

    private static void Type(TypedHost host, string keys)
    {
        foreach (var key in keys)
        {
            host.Keys.Enqueue(new ConsoleKeyInfo(key, key == '\r' ? ConsoleKey.Enter : ConsoleKey.None, false, false, false));
        }
    }
}
