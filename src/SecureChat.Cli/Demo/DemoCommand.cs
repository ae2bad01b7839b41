using System.CommandLine;
using System.Globalization;
using QRCoder;
using SecureChat.Client.Files;
using SecureChat.Client.Messages;

namespace SecureChat.Cli.Demo;

/// <summary><c>demo</c>: a server and two people in one minute, with what the server saw. Nothing in it is made up.</summary>
internal static class DemoCommand
{
    private const string Secret = "The meeting is at the old mill, 8 pm.";
    private const string Answer = "I will be there.";
    private const string Passing = "This sentence has five seconds to live.";
    private const string PictureName = "map-to-the-mill.png";

    private static readonly TimeSpan Life = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(700);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public static Command Create(Cli cli) => cli.Does(
        new Command("demo", "Starts a server of its own and two people who talk, and shows what the server saw of it. Takes half a minute, leaves nothing behind."),
        async (shell, _, ct) =>
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(Patience);
            await new Story(shell).RunAsync(limit.Token);
        });

    private sealed class Story(Shell shell)
    {
        private int _chapter;

        public async Task RunAsync(CancellationToken ct)
        {
            await ChapterAsync("A server starts, and Alice and Bob sign up", ct);
            await using var server = await DemoServer.StartAsync(ct);
            Tell("server", $"{server.Address.Api} with its data in {server.Folder.FullName}");
            await using var alice = await Actor.SignUpAsync(shell.Host, server, ct);
            await using var bob = await Actor.SignUpAsync(shell.Host, server, ct);
            Tell("alice", $"I am {alice.Client.Account}. My keys were made here and stay here.");
            Tell("bob", $"I am {bob.Client.Account}.");
            await alice.Client.ConnectAsync(ct);

            await TalkAsync(server, alice, bob, ct);
            await VerifyAsync(alice, bob, ct);
            await ViewOnceAsync(server, alice, bob, ct);
            await ExpireAsync(alice, bob, ct);
            await SearchAsync(server, ct);
            shell.Output.Say("");
            shell.Output.Say("Now yourself: start the server, then 'securechat register --email you@example.org' in two terminals, with --profile for the second person.");
        }

        private async Task TalkAsync(DemoServer server, Actor alice, Actor bob, CancellationToken ct)
        {
            await ChapterAsync("Alice writes to Bob, who is not there", ct);
            Tell("alice", $"\"{Secret}\"");
            await alice.Client.SendAsync(bob.Client.Account, Secret, ct);
            await ShowWaitingAsync(server, alice, ct);
            await alice.Client.DisconnectAsync(ct);
            await bob.Client.ConnectAsync(ct);
            Tell("bob", $"reads: \"{(await bob.ReadsAsync(message => message.Text == Secret, ct)).Text}\", and answers Alice, who has gone");
            await bob.Client.SendAsync(alice.Client.Account, Answer, ct);
            await ShowWaitingAsync(server, bob, ct);
            await alice.Client.ConnectAsync(ct);
            Tell("alice", $"reads: \"{(await alice.ReadsAsync(message => message.Text is not null, ct)).Text}\"");
            while ((await server.WaitingAsync(ct)).Count > 0)
            {
                await Task.Delay(Pause / 10, shell.Host.Time, ct);
            }

            Tell("server", "holds 0 messages: what was acknowledged is deleted");
        }

        // The first message to somebody comes by name and is kept without one; who has been written to has the right to answer without.
        private async Task ShowWaitingAsync(DemoServer server, Actor sender, CancellationToken ct)
        {
            foreach (var body in await server.WaitingAsync(ct))
            {
                var names = body.AsSpan().IndexOf(sender.Client.Account.ToByteArray(bigEndian: true)) >= 0 ? "it says who wrote it" : "it does not say who wrote it";
                Tell("server", $"holds {body.Length} bytes, and {names}: {Convert.ToHexStringLower(body.AsSpan(0, Math.Min(24, body.Length)))}…");
            }
        }

        private async Task VerifyAsync(Actor alice, Actor bob, CancellationToken ct)
        {
            await ChapterAsync("They verify each other: the same number on both screens means that nobody is in between", ct);
            var hers = (await alice.Client.SafetyNumberAsync(bob.Client.Account, ct))!;
            var his = (await bob.Client.SafetyNumberAsync(alice.Client.Account, ct))!;
            Tell("alice", Groups(hers.Display));
            Tell("bob", Groups(his.Display));
            Tell("bob", $"scans hers: {his.Compare(hers.Scannable())}");
            await alice.Client.SetVerifiedAsync(bob.Client.Account, verified: true, ct);
            await bob.Client.SetVerifiedAsync(alice.Client.Account, verified: true, ct);
        }

        private async Task ViewOnceAsync(DemoServer server, Actor alice, Actor bob, CancellationToken ct)
        {
            await ChapterAsync("Alice sends a picture that opens once", ct);
            var picture = PngByteQRCodeHelper.GetQRCode("geo:51.2277,6.7735", QRCodeGenerator.ECCLevel.L, 8);
            using var content = new MemoryStream(picture);
            await alice.Client.SendFileAsync(bob.Client.Account, new OutgoingFile(content, PictureName, "image/png") { ViewOnce = true }, null, ct);
            Tell("alice", $"sends {PictureName}, {picture.Length} bytes");
            Tell("server", $"holds {server.MediaBytes()} bytes of ciphertext: padded, without name or kind");
            var message = (await bob.HearsAsync<MessageReceived>(told => told.Message.IsFile, ct)).Message;
            var media = (await bob.Client.OpenOnceAsync(message, ct))!.Media!;
            using var seen = new MemoryStream();
            await bob.Client.DownloadAsync(media, seen, null, ct);
            Tell("bob", $"opens it: {seen.Length} bytes, {(seen.ToArray().AsSpan().SequenceEqual(picture) ? "the picture" : "NOT the picture")}");
            Tell("bob", await bob.Client.OpenOnceAsync(message, ct) is null ? "opens it again: it is gone" : "opens it again: IT IS STILL THERE");
            while (server.MediaBytes() > 0)
            {
                await Task.Delay(Pause / 10, shell.Host.Time, ct);
            }

            Tell("server", "holds 0 bytes of it");
        }

        private async Task ExpireAsync(Actor alice, Actor bob, CancellationToken ct)
        {
            await ChapterAsync("Alice sets a timer: five seconds after it was read a message destroys itself", ct);
            await alice.Client.SetTimerAsync(bob.Client.Account, Life, fromSending: false, ct);
            var sent = await alice.Client.SendAsync(bob.Client.Account, Passing, ct);
            var read = await bob.ReadsAsync(message => message.Text == Passing, ct);
            Tell("bob", $"reads: \"{read.Text}\"");
            await bob.HearsAsync<MessageErased>(erased => erased.Id == sent.Id, ct);
            var left = (await bob.Client.MessagesAsync(alice.Client.Account, ct)).Count(message => message.Id == sent.Id);
            Tell("bob", $"five seconds later: {left} such messages on my device");
        }

        private async Task SearchAsync(DemoServer server, CancellationToken ct)
        {
            await ChapterAsync("An intruder copies the server's whole disk and looks for what was said", ct);
            string[] words = [Secret, "old mill", Answer, Passing, PictureName, "image/png"];
            var (files, bytes, found) = server.Search(words);
            Tell("intruder", string.Create(CultureInfo.InvariantCulture, $"{files} files, {bytes / 1024} KiB, {words.Length} phrases looked for: {found.Count} found"));
            foreach (var word in found)
            {
                Tell("intruder", $"FOUND: {word}");
            }
        }

        private async Task ChapterAsync(string title, CancellationToken ct)
        {
            if (shell.Host.IsInteractive && _chapter > 0)
            {
                await Task.Delay(Pause, shell.Host.Time, ct);
            }

            _chapter++;
            shell.Output.Say("");
            shell.Output.Write(LineType.Chapter, $"{_chapter}. {title}", ("number", _chapter), ("title", title));
        }

        private void Tell(string who, string what) => shell.Output.Write(LineType.Told, $"   {who,-9} {what}", ("who", who), ("what", what));

        private static string Groups(string digits) => string.Join(' ', digits.Chunk(5).Select(group => new string(group)));
    }
}
