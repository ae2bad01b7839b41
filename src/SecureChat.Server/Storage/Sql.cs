using System.Data;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Dapper;

namespace SecureChat.Server.Storage;

/// <summary>An SQL statement written as an interpolated string in which every hole becomes a parameter.</summary>
/// <remarks>
/// A plain string does not convert to this type, so text from outside cannot become SQL. A hole that is itself
/// an <see cref="Sql"/> is spliced in with its parameters. Ids become 16 bytes in network order, times Unix milliseconds.
/// </remarks>
[InterpolatedStringHandler]
internal sealed class Sql(int literalLength, int formattedCount)
{
    private readonly StringBuilder _text = new(literalLength + (formattedCount * 4));
    private readonly List<(object? Value, DbType Type)> _values = new(formattedCount);

    public string Text => _text.ToString();

    public DynamicParameters Parameters
    {
        get
        {
            var parameters = new DynamicParameters();
            for (var i = 0; i < _values.Count; i++)
            {
                parameters.Add($"p{i.ToString(CultureInfo.InvariantCulture)}", _values[i].Value, _values[i].Type);
            }

            return parameters;
        }
    }

    /// <summary>The name of a table as the schema gave it, to be spliced into a statement.</summary>
    public static Sql Name(string name)
    {
        if (name.Length is 0 || !name.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter is '_'))
        {
            throw new ArgumentException("Not a plain name.", nameof(name));
        }

        var sql = new Sql(name.Length, 0);
        sql.AppendLiteral(name);
        return sql;
    }

    public void AppendLiteral(string value) => _text.Append(value);

    public void AppendFormatted(Sql fragment)
    {
        // A fragment's own parameter numbers are shifted behind the ones already here.
        var text = fragment._text.ToString();
        for (var i = fragment._values.Count - 1; i >= 0; i--)
        {
            text = text.Replace(Parameter(i) + " ", Parameter(i + _values.Count) + " ", StringComparison.Ordinal);
        }

        _text.Append(text);
        _values.AddRange(fragment._values);
    }

    public void AppendFormatted(Guid value) => Add(value.ToByteArray(bigEndian: true), DbType.Binary);

    public void AppendFormatted(Guid? value) => Add(value?.ToByteArray(bigEndian: true), DbType.Binary);

    public void AppendFormatted(DateTimeOffset value) => Add(value.ToUnixTimeMilliseconds(), DbType.Int64);

    public void AppendFormatted(DateTimeOffset? value) => Add(value?.ToUnixTimeMilliseconds(), DbType.Int64);

    public void AppendFormatted(long value) => Add(value, DbType.Int64);

    public void AppendFormatted(long? value) => Add(value, DbType.Int64);

    public void AppendFormatted(bool value) => Add(value ? 1L : 0L, DbType.Int64);

    public void AppendFormatted(string? value) => Add(value, DbType.String);

    public void AppendFormatted(byte[]? value) => Add(value, DbType.Binary);

    private static string Parameter(int index) => $"@p{index.ToString(CultureInfo.InvariantCulture)}";

    // The type is named because a null has none, and PostgreSQL asks for one.
    private void Add(object? value, DbType type)
    {
        // The space ends the name, so that splicing can tell @p1 from @p10.
        _text.Append(Parameter(_values.Count)).Append(' ');
        _values.Add((value, type));
    }
}
