using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>An app that is not ours: the official Signal client, with contents made and read from their documentation alone.</summary>
public sealed class OtherClients(Worlds worlds, LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task Somebody_at_the_command_line_and_an_official_client_talk_both_ways(StorePair stores)
    {
        await using var world = await worlds.StartAsync(stores, peer, Ct);
        var bob = new Speaker(peer, (await world.PersonAsync("bob", Ct)).Primary);
        string[] words = [
            CommandLines.Canary("libsignal"), CommandLines.Canary("line"), CommandLines.Canary("edited"), CommandLines.Canary("corrected"), CommandLines.Canary("alice"),
        ];
        using var alice = await CommandLine.RegisterAsync(world, words[4] + "@canary.example", Ct);

        var first = await bob.SayAsync(alice.Account, "text", new JsonObject { ["body"] = words[0] }, Ct);
        await CommandLines.AssertUnseenAsync(world, alice.Account, words);
        var heard = CommandLines.Messages(await alice.RunAsync(Ct, "receive")).Single();
        Assert.Equal((words[0], bob.Account, first.Guid), (heard.GetProperty("text").GetString(), heard.GetProperty("sender").GetGuid(), heard.GetProperty("id").GetGuid()));

        await alice.RunAsync(Ct, "send", bob.Account.ToString(), words[1], "--reply-to", first.Guid.ToString());
        await alice.RunAsync(Ct, "message", "react", first.Guid.ToString(), "🎉");
        var answer = await bob.HearAsync("text", Ct);
        var second = new Name(answer.GetProperty("id").GetBytesFromBase64());
        Assert.Equal((words[1], first.Base64), (Of(answer, "text", "body"), Of(answer, "text", "replyTo")));
        var reaction = await bob.HearAsync("reaction", Ct);
        Assert.Equal(("🎉", first.Base64), (Of(reaction, "reaction", "emoji"), Of(reaction, "reaction", "target")));

        await bob.SayAsync(alice.Account, "receipt", new JsonObject { ["targets"] = new JsonArray(second.Base64) }, Ct);
        await bob.SayAsync(alice.Account, "reaction", new JsonObject { ["target"] = second.Base64, ["emoji"] = "👍" }, Ct);
        await bob.SayAsync(alice.Account, "edit", new JsonObject { ["target"] = first.Base64, ["text"] = new JsonObject { ["body"] = words[2] } }, Ct);
        var told = await alice.RunAsync(Ct, "receive");
        Assert.Equal("Delivered", Last(told, second).GetProperty("progress").GetString());
        Assert.Equal("👍", Last(told, second).GetProperty("reactions").GetProperty(bob.Account.ToString()).GetString());
        Assert.Equal(words[2], Last(told, first).GetProperty("text").GetString());

        await alice.RunAsync(Ct, "message", "edit", second.Guid.ToString(), words[3]);
        var edit = await bob.HearAsync("edit", Ct);
        Assert.Equal((words[3], second.Base64), (edit.GetProperty("edit").GetProperty("text").GetProperty("body").GetString(), Of(edit, "edit", "target")));

        await bob.SayAsync(alice.Account, "delete", new JsonObject { ["target"] = first.Base64 }, Ct);
        await AssertReadAsync(alice, bob, taken: first);
        await alice.RunAsync(Ct, "message", "take-back", second.Guid.ToString());
        Assert.Equal(second.Base64, Of(await bob.HearAsync("delete", Ct), "delete", "target"));
        await CommandLines.AssertUnseenAsync(world, alice.Account, words);
    }

    // What a contact takes back is gone, and of a text that is shown its sender is told that it was read.
    private static async Task AssertReadAsync(CommandLine alice, Speaker bob, Name taken)
    {
        var sent = await bob.SayAsync(alice.Account, "text", new JsonObject { ["body"] = "one more" }, Ct);
        await using var following = alice.Follow();
        while (true)
        {
            var receipt = (await bob.HearAsync("receipt", Ct)).GetProperty("receipt");
            if (receipt.TryGetProperty("kind", out var kind) && receipt.GetProperty("targets").EnumerateArray().Any(target => target.GetString() == sent.Base64))
            {
                Assert.Equal("KIND_READ", kind.GetString());
                break;
            }
        }

        var printed = (await File.ReadAllLinesAsync(alice.FollowLog, Ct)).Where(line => line.StartsWith('{')).Select(line => JsonDocument.Parse(line).RootElement);
        Assert.True(Last([.. printed], taken).GetProperty("takenBack").GetBoolean());
    }

    private static JsonElement Last(IReadOnlyList<JsonElement> told, Name name) =>
        told.Last(one => one.TryGetProperty("id", out var id) && id.GetGuid() == name.Guid);

    private static string? Of(JsonElement content, string body, string field) => content.GetProperty(body).GetProperty(field).GetString();

    /// <summary>What a content is called.</summary>
    private sealed record Name(byte[] Bytes)
    {
        public string Base64 => Convert.ToBase64String(Bytes);

        public Guid Guid => new(Bytes, bigEndian: true);
    }

    /// <summary>Somebody whose contents the peer makes and reads.</summary>
    private sealed class Speaker(LibsignalPeer peer, Device device)
    {
        private static readonly string[] Unconfirmed = ["receipt", "typing"];

        private int _sequence;

        public Guid Account => device.Owner.Account;

        public async Task<Name> SayAsync(Guid to, string kind, JsonObject body, CancellationToken ct)
        {
            var name = new Name(RandomNumberGenerator.GetBytes(16));
            var content = new JsonObject
            {
                ["id"] = name.Base64,
                ["timestamp"] = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(),
                [kind] = body,
            };
            if (!Unconfirmed.Contains(kind))
            {
                _sequence++;
                content["order"] = new JsonObject { ["stream"] = 1, ["sequence"] = _sequence, ["oldestKept"] = _sequence };
            }

            var made = await peer.CallAsync("encodeContent", new { content }, ct);
            await device.SendAsync(to, made.Bytes("padded"), ct);
            return name;
        }

        /// <summary>The next of this kind; everything before it must be to be read too.</summary>
        public async Task<JsonElement> HearAsync(string kind, CancellationToken ct)
        {
            while (true)
            {
                var read = await peer.CallAsync("decodeContent", new { padded = await device.NextAsync(ct) }, ct);
                Assert.True(read.TryGetProperty("content", out var content), "what came is no content as documented");
                if (content.TryGetProperty(kind, out _))
                {
                    return content;
                }
            }
        }
    }
}
