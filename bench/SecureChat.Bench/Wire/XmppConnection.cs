using System.Buffers.Text;
using System.Globalization;
using System.Text;
using SecureChat.Bench.Load;

namespace SecureChat.Bench.Wire;

/// <summary>An XMPP client over plain TCP (RFC 6120) with stream management (XEP-0198) on.</summary>
/// <remarks>The server's answer to an acknowledgement request is the sender's "accepted"; one request goes out per batch.</remarks>
internal sealed class XmppConnection(Traffic traffic, int pair, bool sends) : ChatConnection(traffic, pair)
{
    private static readonly byte[] StreamStart = Encoding.ASCII.GetBytes(
        "<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' " +
        "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>");

    private readonly byte[] _head = Encoding.ASCII.GetBytes(
        $"<message to='b{pair.ToString(CultureInfo.InvariantCulture)}@localhost/r' type='chat' id='");

    private bool _authenticated;
    private uint _accepted;
    private uint _received;
    private bool _wantsAnswer;
    private bool _owesAnswer;

    public override void Begin() => Write(StreamStart);

    public override void Send(uint sequence, ReadOnlySpan<byte> content)
    {
        Write(_head);
        WriteNumber(sequence);
        Write("'><body>"u8);
        Write(content);
        Write("</body></message>"u8);
        _wantsAnswer = true;
    }

    protected override void OnFlush()
    {
        if (_wantsAnswer)
        {
            _wantsAnswer = false;
            Write("<r xmlns='urn:xmpp:sm:3'/>"u8);
        }

        if (_owesAnswer)
        {
            _owesAnswer = false;
            Write("<a xmlns='urn:xmpp:sm:3' h='"u8);
            WriteNumber(_received);
            Write("'/>"u8);
        }
    }

    protected override int Consume(ReadOnlySpan<byte> input)
    {
        var at = 0;
        while (at < input.Length)
        {
            var length = ElementLength(input[at..]);
            if (length < 0)
            {
                break;
            }

            OnElement(input.Slice(at, length));
            at += length;
        }

        return at;
    }

    // ejabberd escapes '>' in attribute values and never nests an element of the same name in these streams.
    private static int ElementLength(ReadOnlySpan<byte> input)
    {
        var close = input.IndexOf((byte)'>');
        if (close < 0)
        {
            return -1;
        }

        if (input.StartsWith("<?xml"u8) || input.StartsWith("<stream:stream"u8) || input[close - 1] == '/' || input[1] == '/')
        {
            return close + 1;
        }

        Span<byte> end = stackalloc byte[64];
        var name = input[1..close];
        var space = name.IndexOf((byte)' ');
        name = space < 0 ? name : name[..space];
        "</"u8.CopyTo(end);
        name.CopyTo(end[2..]);
        end[2 + name.Length] = (byte)'>';
        var found = input[close..].IndexOf(end[..(3 + name.Length)]);
        return found < 0 ? -1 : close + found + 3 + name.Length;
    }

    private static uint Number(ReadOnlySpan<byte> element, ReadOnlySpan<byte> attribute)
    {
        var at = element.IndexOf(attribute);
        return at >= 0 && Utf8Parser.TryParse(element[(at + attribute.Length)..], out uint value, out _)
            ? value
            : throw new BenchException("ejabberd said: " + Encoding.UTF8.GetString(element));
    }

    private void OnElement(ReadOnlySpan<byte> element)
    {
        if (element.StartsWith("<message "u8))
        {
            OnMessage(element);
        }
        else if (element.StartsWith("<r "u8))
        {
            _owesAnswer = true;
            Touch();
        }
        else if (element.StartsWith("<a "u8))
        {
            for (var handled = Number(element, " h='"u8); _accepted < handled;)
            {
                Traffic.OnAccepted(Pair, _accepted++);
            }
        }
        else
        {
            OnHandshake(element);
        }
    }

    private void OnMessage(ReadOnlySpan<byte> element)
    {
        var body = element.IndexOf("<body>"u8);
        if (body < 0 || element[..body].IndexOf(" type='chat'"u8) < 0)
        {
            throw new BenchException("ejabberd returned a message: " + Encoding.UTF8.GetString(element));
        }

        _received++;
        var content = element[(body + "<body>".Length)..];
        Traffic.OnDelivered(Pair, Number(element[..body], " id='"u8), content[..content.IndexOf((byte)'<')]);
    }

    private void OnHandshake(ReadOnlySpan<byte> element)
    {
        if (element.StartsWith("<stream:features"u8))
        {
            Write(_authenticated
                ? "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>"u8
                : Login());
        }
        else if (element.StartsWith("<success"u8))
        {
            _authenticated = true;
            Write(StreamStart);
        }
        else if (element.StartsWith("<iq "u8) && element.IndexOf(" type='result'"u8) > 0)
        {
            Write("<enable xmlns='urn:xmpp:sm:3'/>"u8);
        }
        else if (element.StartsWith("<enabled"u8))
        {
            Traffic.Ready();
        }
        else if (!element.StartsWith("<?xml"u8) && !element.StartsWith("<stream:stream"u8))
        {
            throw new BenchException("ejabberd said: " + Encoding.UTF8.GetString(element));
        }
    }

    private byte[] Login()
    {
        var user = $"\0{(sends ? 'a' : 'b')}{Pair.ToString(CultureInfo.InvariantCulture)}\0x";
        return Encoding.ASCII.GetBytes(
            $"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{Convert.ToBase64String(Encoding.ASCII.GetBytes(user))}</auth>");
    }

    private void WriteNumber(uint value)
    {
        Utf8Formatter.TryFormat(value, Reserve(10), out var length);
        Commit(length);
    }
}
