using Google.Protobuf;
using Google.Protobuf.Reflection;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol.Proto;

#pragma warning disable RS0030 // What is sent is the same in every run.

namespace SecureChat.Client.Tests.Messages;

/// <summary>Contents that are encrypted as they must be, and in which everything else is wrong: somebody wrote a client of their own.</summary>
public sealed class HostileContentTests
{
    private const int Contents = 400;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("stranger")]
    [InlineData("contact")]
    [InlineData("member")]
    [InlineData("own")]
    public async Task Whatever_somebody_puts_into_a_content_the_device_goes_on_working(string sender)
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var mallory = sender switch
        {
            "stranger" => await world.PersonAsync(),
            "own" => await world.LinkedAsync(bob),
            _ => alice,
        };
        var group = sender == "member" ? await world.GroupAsync(alice, bob, carol) : Guid.Empty;
        var known = await bob.Client.MessagesAsync(alice.Account, Ct);
        var random = new RandomContents(7, [bob.Account.ToBytes(), alice.Account.ToBytes(), .. known.Select(message => message.Id.ToBytes()), await GroupIdAsync(bob, group)]);
        await mallory.Client.DisconnectAsync(Ct);

        await HandAsync(mallory, bob, random);
        await world.PassAsync(TimeSpan.FromMinutes(10));

        Assert.False(bob.Client.Connection.IsCompleted, bob.Client.Connection.Exception?.ToString());
        await carol.SendAsync(bob, "are you all right?");
        await bob.TextAsync("are you all right?");
        await bob.RestartAsync();
        await bob.Client.ConnectAsync(Ct);
        await bob.SendAsync(carol, "I am");
        await carol.TextAsync("I am");
        Assert.All(bob.Events<MessageReceived>(), told => Assert.NotNull(Shown(told.Message)));
    }

    private static async Task HandAsync(Person from, Person to, RandomContents random)
    {
        var self = (await new StoreTransaction(from.Options.Store).ReadAsync(Tables.Self, Tables.Only, Ct))!;
        using var api = new ServerApi(from.Options.Server, from.Options.Network);
        using var device = new Device(from.Options, api, self, new EventFeed());
        var delivery = new Delivery(device);
        var accepted = 0;
        for (var i = 0; i < Contents; i++)
        {
            var content = random.Next();
            content.Id = Ids.New().ToBytes();
            accepted += await delivery.HandAsync(to.Account, content, new Handing(), Ct) == Handed.Accepted ? 1 : 0;
        }

        Assert.InRange(accepted, Contents / 2, Contents);
    }

    private static async Task<ByteString> GroupIdAsync(Person person, Guid group) =>
        group == Guid.Empty ? ByteString.Empty : (await person.RecordAsync(group)).Group;

    // All that an app shows of a message.
    private static string Shown(ChatMessage message) =>
        $"{message.SentAt} {message.Text} {message.Media} {message.IsFile} {message.IsUnknown} {message.IsEdited} {message.ErasedAt} {message.Reactions.Count} {message.Progress}";

    /// <summary>Contents with any of their fields set, to what is at the edges or to something that exists.</summary>
    private sealed class RandomContents(int seed, IReadOnlyList<ByteString> existing)
    {
        private readonly Random _random = new(seed);

        public Content Next()
        {
            var content = new Content();
            Fill(content, depth: 0);
            return content;
        }

        private void Fill(IMessage message, int depth)
        {
            foreach (var field in message.Descriptor.Fields.InDeclarationOrder())
            {
                if (depth > 4 || _random.Next(depth == 0 ? 3 : 2) == 0)
                {
                    continue;
                }

                if (field.IsRepeated)
                {
                    var list = (System.Collections.IList)field.Accessor.GetValue(message);
                    for (var i = _random.Next(3); i > 0; i--)
                    {
                        list.Add(Value(field, depth));
                    }
                }
                else if (field.ContainingOneof is null || _random.Next(3) == 0)
                {
                    field.Accessor.SetValue(message, Value(field, depth));
                }
            }
        }

        private object Value(FieldDescriptor field, int depth) => field.FieldType switch
        {
            FieldType.UInt64 or FieldType.Fixed64 => (object)OneOf<ulong>([0, 1, 1_772_366_400_000, long.MaxValue, ulong.MaxValue]),
            FieldType.UInt32 => OneOf<uint>([0, 1, 60, 128, int.MaxValue, uint.MaxValue]),
            FieldType.Int32 => OneOf<int>([0, 1, int.MinValue, int.MaxValue]),
            FieldType.Int64 => OneOf<long>([0, 1, long.MinValue, long.MaxValue]),
            FieldType.Bool => _random.Next(2) == 0,
            FieldType.String => OneOf<string>(["", "x", "👍", new string('x', 300), "\0"]),
            FieldType.Bytes => _random.Next(2) == 0 ? existing[_random.Next(existing.Count)] : Bytes(OneOf<int>([0, 1, 15, 16, 17, 32, 33, 64])),
            FieldType.Enum => _random.Next(6),
            FieldType.Message => Message(field, depth),
            _ => throw new NotSupportedException(field.FullName),
        };

        private T OneOf<T>(ReadOnlySpan<T> values) => values[_random.Next(values.Length)];

        private ByteString Bytes(int size)
        {
            var bytes = new byte[size];
            _random.NextBytes(bytes);
            return ByteString.CopyFrom(bytes);
        }

        private IMessage Message(FieldDescriptor field, int depth)
        {
            var message = field.MessageType.Parser.ParseFrom(ByteString.Empty);
            Fill(message, depth + 1);
            return message;
        }
    }
}
