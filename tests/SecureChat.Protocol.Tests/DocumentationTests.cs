using System.Globalization;
using System.Reflection;

namespace SecureChat.Protocol.Tests;

/// <summary>The tables of the prose equal those of the code.</summary>
public sealed class DocumentationTests
{
    [Fact]
    public void The_table_of_errors_lists_every_code_with_its_status_and_title()
    {
        var documented = Rows("errors.md").Select(cells => (cells[0].Trim('`'), cells[1], cells[2]));

        var inCode = ProtocolError.All
            .Select(error => (error.Code, error.Status.ToString(CultureInfo.InvariantCulture), error.Title));
        Assert.Equal(inCode.Order(), documented.Order());
    }

    [Fact]
    public void Every_error_is_in_the_list_of_all_errors_and_no_code_is_used_twice()
    {
        var declared = typeof(ProtocolError).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(field => (ProtocolError)field.GetValue(null)!);

        Assert.Equal(declared.OrderBy(error => error.Code), ProtocolError.All.OrderBy(error => error.Code));
        Assert.Distinct(ProtocolError.All.Select(error => error.Code));
    }

    [Fact]
    public void The_table_of_limits_states_every_limit_and_its_value()
    {
        var documented = Rows("overview.md").Where(cells => cells.Length is 3)
            .ToDictionary(cells => cells[2].Trim('`'), cells => cells[1]);

        Assert.All(typeof(Limits).GetFields(), limit =>
        {
            var value = Convert.ToString(limit.GetRawConstantValue(), CultureInfo.InvariantCulture)!;
            Assert.Contains(value, documented[limit.Name].Split(' '));
        });
    }

    /// <summary>The cells of every table row whose last or first cell is code.</summary>
    private static IEnumerable<string[]> Rows(string file) =>
        File.ReadLines(Path.Combine(Folder(), file))
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal) && line.Contains('`', StringComparison.Ordinal))
            .Select(line => line.Trim('|', ' ').Split(" | "));

    private static string Folder()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "SecureChat.slnx")))
        {
            folder = folder.Parent;
        }

        return Path.Combine(folder.FullName, "docs", "protocol");
    }
}
