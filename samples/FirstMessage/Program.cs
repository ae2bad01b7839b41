using SecureChat.Client;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.Messages;
using SecureChat.Client.Sqlite;

var server = new ServerAddress(new Uri(args[0]));
server = server with { TrustRoots = [await ChatClient.FetchTrustRootAsync(server, new SystemNetwork(), default)] };
await using var store = await SqliteStore.OpenAsync("chat.db", "a long passphrase", default);
await using var chat = await ChatClient.SignUpAsync(new ChatOptions(server, store), SignUpProof.Invite(args[1]), default);
await chat.ConnectAsync(default);
await chat.SendAsync(Guid.Parse(args[2]), "Hello. Only you can read this.", default);
await foreach (var told in chat.EventsAsync(default))
    if (told is MessageReceived { Message: var message }) Console.WriteLine($"{message.Sender}: {message.Text}");
