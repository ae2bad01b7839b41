using SecureChat.Client.LocalStore;

namespace SecureChat.Client.Accounts;

/// <summary>What a device knows of other accounts, and of its own.</summary>
internal static class Contacts
{
    public static ValueTask<ContactRecord?> FindAsync(StoreTransaction rows, Guid account, CancellationToken ct) =>
        rows.ReadAsync(Tables.Contacts, Tables.Hex(account.ToBytes()), ct);

    public static async ValueTask<ContactRecord> GetAsync(StoreTransaction rows, Guid account, CancellationToken ct) =>
        await FindAsync(rows, account, ct) ?? new ContactRecord { Account = account.ToBytes() };

    public static void Put(StoreTransaction rows, ContactRecord contact) =>
        rows.Put(Tables.Contacts, Tables.Hex(contact.Account), contact);

    /// <summary>The contact has no such device, as far as this one knows.</summary>
    public static void Forget(this ContactRecord contact, int device)
    {
        if (contact.Devices.FirstOrDefault(known => known.Device == (uint)device) is { } known)
        {
            contact.Devices.Remove(known);
        }
    }
}
