using SecureChat.Cli.Tests.Support;

namespace SecureChat.Cli.Tests;

/// <summary>What the terminal draws to be scanned, read by somebody else's decoder.</summary>
public sealed class QrTests : CommandTests
{
    [Fact]
    public async Task The_safety_number_that_is_drawn_is_found_equal_different_or_of_another_version()
    {
        var (alice, bob, carol) = (await RegisterAsync("alice"), await RegisterAsync("bob"), await RegisterAsync("carol"));
        foreach (var other in new[] { bob, carol })
        {
            await RunAsync(0, "-p", "alice", "send", other, "hello");
        }

        await RunAsync(0, "-p", "bob", "receive");
        await RunAsync(0, "-p", "carol", "receive");
        var drawn = QrReader.Bytes(await RunAsync(0, "-p", "bob", "verify", alice, "--qr"));
        var another = QrReader.Bytes(await RunAsync(0, "-p", "carol", "verify", alice, "--qr"));

        // The version is the first field of what is drawn.
        Assert.Equal([0x08, 2], drawn[..2]);
        var foreign = QrReader.Bytes(QrPicture.Of([0x08, 3, .. drawn[2..]]));

        Assert.Contains($"\"scan\":\"{Convert.ToBase64String(drawn)}\"", await RunAsync(0, "-p", "bob", "verify", alice, "--json"), StringComparison.Ordinal);
        Assert.Contains("Verified.", await CompareAsync(0, bob, drawn), StringComparison.Ordinal);
        Assert.Contains("another version", await CompareAsync(2, bob, foreign), StringComparison.Ordinal);
        Assert.Contains("Verified.", await RunAsync(0, "-p", "alice", "verify", bob), StringComparison.Ordinal);
        Assert.Contains("DIFFER", await CompareAsync(8, bob, another), StringComparison.Ordinal);
        Assert.Contains("Not verified.", await RunAsync(0, "-p", "alice", "verify", bob), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_is_linked_with_the_code_that_the_new_one_draws()
    {
        var alice = await RegisterAsync("alice");
        using var laptop = Host(isPerson: true);
        var linking = Program.RunAsync(["-p", "laptop", "link", "--server", "http://localhost"], laptop, Ct);
        await UntilAsync(() => laptop.Screen.Contains("devices add ", StringComparison.Ordinal) || linking.IsCompleted);
        var code = QrReader.Text(laptop.Screen);

        using var phone = Host();
        phone.Answer = async (_, _) =>
        {
            await UntilAsync(() => laptop.Screen.Contains("same number: ", StringComparison.Ordinal));
            return NumberOn(phone) == NumberOn(laptop) ? "y" : "n";
        };
        Assert.Equal(0, await Program.RunAsync(["-p", "alice", "devices", "add", code], phone, Ct));

        Assert.Equal(0, await linking);
        Assert.Contains($"devices add {code}\n", laptop.Screen, StringComparison.Ordinal);
        Assert.Contains($"This is device 2 of {alice}.", laptop.Screen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_account_that_is_drawn_is_the_one_that_is_printed()
    {
        var alice = await RegisterAsync("alice");

        Assert.Equal(alice, QrReader.Text(await RunAsync(0, "-p", "alice", "whoami", "--qr")));
    }

    private static string NumberOn(TypedHost host) => host.Screen.Split("the same number: ")[1][..7];

    private Task<string> CompareAsync(int code, string with, byte[] scanned) =>
        RunAsync(code, "-p", "alice", "verify", with, "--scanned", Convert.ToBase64String(scanned));
}
