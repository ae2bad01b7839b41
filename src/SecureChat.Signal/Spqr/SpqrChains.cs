using System.Collections.Immutable;
using System.Security.Cryptography;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Ratchet;

namespace SecureChat.Signal.Spqr;

/// <summary>
/// The chains of every epoch still in use, and the root from which the next epoch's are made. Immutable.
/// docs/protocol/spqr.md#keys.
/// </summary>
internal sealed class SpqrChains
{
    /// <summary>Epochs held: of the last one sent in, the one before it, and the one just agreed.</summary>
    private const int MaxLinks = 3;

    private readonly SpqrRole _role;
    private readonly byte[] _root;
    private readonly ulong _sendingEpoch;
    private readonly ImmutableArray<Link> _links;

    private SpqrChains(SpqrRole role, byte[] root, ulong sendingEpoch, ImmutableArray<Link> links) =>
        (_role, _root, _sendingEpoch, _links) = (role, root, sendingEpoch, links);

    /// <summary>The last epoch agreed on; 0 is that of the session's first secret.</summary>
    public ulong Epoch => _links[^1].Epoch;

    /// <summary>The chains of a new session.</summary>
    public static SpqrChains Initial(ReadOnlySpan<byte> authKey, SpqrRole role)
    {
        // The two spaces are part of the label.
        var keys = Hkdf.Derive([], authKey, "Signal PQ Ratchet V1 Chain  Start"u8, 3 * SpqrKdf.KeySize);
        return new SpqrChains(role, keys[..SpqrKdf.KeySize], 0, [LinkOf(0, keys, role)]);
    }

    /// <summary>Adds the chains of the epoch after <see cref="Epoch"/>.</summary>
    public SpqrChains Add(EpochSecret secret)
    {
        if (secret.Epoch != Epoch + 1)
        {
            throw new InvalidOperationException("Epochs are agreed one after the other.");
        }

        var keys = Hkdf.Derive(
            _root, secret.Secret, "Signal PQ Ratchet V1 Chain Add Epoch"u8, 3 * SpqrKdf.KeySize);
        var links = _links.Add(LinkOf(secret.Epoch, keys, _role));
        CryptographicOperations.ZeroMemory(secret.Secret);
        return new SpqrChains(_role, keys[..SpqrKdf.KeySize], _sendingEpoch, links);
    }

    /// <summary>The next sending key of an epoch, which is the last one sent in or a later one.</summary>
    /// <remarks>
    /// Once sending has moved on, the peer may still be sending in the epoch before, but in none that is older, and nothing
    /// more is ever sent in either: what is not needed is forgotten here.
    /// </remarks>
    public (uint Index, byte[] Key, SpqrChains Next) Send(ulong epoch)
    {
        var links = _links;
        if (epoch > _sendingEpoch)
        {
            links = [.. links
                .Where(link => link.Epoch + 1 >= epoch)
                .Select(link => link.Epoch < epoch ? link with { Sending = null } : link)];
        }

        var at = Find(links, epoch);
        if (epoch < _sendingEpoch || at < 0 || links[at].Sending is not { } chain)
        {
            throw new InvalidOperationException("Sending never goes back to an older epoch.");
        }

        var (index, key, next) = chain.Step();
        links = links.SetItem(at, links[at] with { Sending = next });
        return (index, key, new SpqrChains(_role, _root, epoch, links));
    }

    /// <summary>The receiving key of an epoch at a position.</summary>
    /// <exception cref="SignalException">The epoch is unknown or forgotten, or the key is not to be had.</exception>
    public (byte[] Key, SpqrChains Next) Receive(ulong epoch, uint index, StepBudget? budget)
    {
        var at = Find(_links, epoch);
        if (at < 0)
        {
            throw SpqrRefusal.UnknownEpoch();
        }

        var (key, next) = _links[at].Receiving.TakeAt(index, budget);
        var links = _links.SetItem(at, _links[at] with { Receiving = next });
        return (key, new SpqrChains(_role, _root, _sendingEpoch, links));
    }

    public void Erase()
    {
        CryptographicOperations.ZeroMemory(_root);
        foreach (var link in _links)
        {
            link.Sending?.Erase();
            link.Receiving.Erase();
        }
    }

    public void Write(SpqrWriter writer)
    {
        writer.Bytes(_root);
        writer.UInt64(_sendingEpoch);
        writer.Byte((byte)_links.Length);
        foreach (var link in _links)
        {
            writer.UInt64(link.Epoch);
            writer.Byte(link.Sending is null ? (byte)0 : (byte)1);
            link.Sending?.Write(writer);
            link.Receiving.Write(writer);
        }
    }

    public static SpqrChains Read(ref SpqrReader reader, SpqrRole role)
    {
        var root = reader.Bytes(SpqrKdf.KeySize);
        var sendingEpoch = reader.Epoch();
        var count = reader.Byte();
        reader.Require(count is >= 1 and <= MaxLinks);
        var links = ImmutableArray.CreateBuilder<Link>(MaxLinks);
        for (var i = 0; i < count && reader.IsValid; i++)
        {
            var epoch = reader.Epoch();
            var hasSending = reader.Byte();
            reader.Require(hasSending <= 1 && hasSending == (epoch >= sendingEpoch ? 1 : 0));
            reader.Require(links.Count == 0 || epoch == links[^1].Epoch + 1);
            var sending = hasSending == 1 ? SpqrChain.Read(ref reader) : null;
            links.Add(new Link(epoch, sending, SpqrChain.Read(ref reader)));
        }

        var chains = new SpqrChains(role, root, sendingEpoch, links.ToImmutable());
        reader.Require(Find(chains._links, sendingEpoch) >= 0);
        return chains;
    }

    private static int Find(ImmutableArray<Link> links, ulong epoch)
    {
        for (var i = 0; i < links.Length; i++)
        {
            if (links[i].Epoch == epoch)
            {
                return i;
            }
        }

        return -1;
    }

    private static Link LinkOf(ulong epoch, byte[] keys, SpqrRole role)
    {
        var initiator = new SpqrChain(keys[SpqrKdf.KeySize..(2 * SpqrKdf.KeySize)]);
        var responder = new SpqrChain(keys[(2 * SpqrKdf.KeySize)..]);
        return role == SpqrRole.Initiator
            ? new Link(epoch, initiator, responder)
            : new Link(epoch, responder, initiator);
    }

    /// <summary>One epoch: what is sent in it, unless sending has moved on, and what is received.</summary>
    private sealed record Link(ulong Epoch, SpqrChain? Sending, SpqrChain Receiving)
    {
        /// <summary>Never the keys.</summary>
        public override string ToString() => nameof(Link);
    }
}
