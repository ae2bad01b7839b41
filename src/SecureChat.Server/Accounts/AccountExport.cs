using System.Text.Json;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>Collects everything that is stored about an account, by asking the schema: a table added later is in it by itself.</summary>
internal sealed class AccountExport(Database db, IMessageQueue queue)
{
    public async Task<AccountData> ReadAsync(Guid account, CancellationToken ct)
    {
        var tables = new SortedDictionary<string, IReadOnlyList<IReadOnlyDictionary<string, JsonElement>>>(StringComparer.Ordinal);
        foreach (var table in await db.TablesWithAsync("account", ct))
        {
            var rows = await db.QueryAsync<dynamic>(
                $"SELECT * FROM {Sql.Name(table)} WHERE account = {account}", ct);
            tables[table] = [.. rows.Select(row => Describe((IDictionary<string, object?>)row))];
        }

        var queued = new SortedDictionary<int, int>();
        foreach (var device in await db.QueryAsync<int>($"SELECT device FROM devices WHERE account = {account}", ct))
        {
            var waiting = await queue.ReadAsync(new DeviceAddress(account, device), 0, MaxQueued, ct);
            queued[device] = waiting.Count;
        }

        return new AccountData(tables, queued);
    }

    private static SortedDictionary<string, JsonElement> Describe(IDictionary<string, object?> row)
    {
        var fields = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var (name, value) in row)
        {
            fields[name] = value switch
            {
                null => JsonSerializer.SerializeToElement<string?>(null),
                byte[] bytes when Withheld.Contains(name) =>
                    JsonSerializer.SerializeToElement($"{bytes.Length} bytes, withheld"),
                byte[] bytes => JsonSerializer.SerializeToElement(bytes),
                long number => JsonSerializer.SerializeToElement(number),
                _ => JsonSerializer.SerializeToElement(value.ToString()),
            };
        }

        return fields;
    }

    // Whoever steals an access token must not get something to guess a PIN or a token against.
    private static readonly HashSet<string> Withheld =
        ["lock_salt", "lock_hash", "family_hash", "token_hash", "previous_hash"];

    private const int MaxQueued = 10_000;
}
