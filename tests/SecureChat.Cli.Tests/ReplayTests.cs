using System.Globalization;
using System.Security.Cryptography;
using SecureChat.Tests;

namespace SecureChat.Cli.Tests;

/// <summary>What replays the transcripts holds for whatever a run draws.</summary>
public sealed class ReplayTests
{
    private static readonly string[] Written =
    [
        "Safety number with bob:", "  39041 50855 47366 30449", "  29600 27637 69666 91621", "  86836 37668 20881 68496",
    ];

    [Fact]
    public void A_safety_number_in_which_a_group_comes_twice_stands_for_the_written_one()
    {
        string[] rows = ["11111 22222 33333 11111", "44444 55555 66666 77777", "88888 11111 99999 00000"];
        var transcript = new Transcript();

        Assert.Null(transcript.Difference(Written, string.Join("\n  ", rows.Prepend("Safety number with bob:"))));

        Assert.Equal(string.Join(' ', rows), transcript.Real("39041 50855 47366 30449 29600 27637 69666 91621 86836 37668 20881 68496"));
    }

    [Fact]
    public void Whatever_number_is_drawn_the_written_one_stands_for_it_and_another_does_not()
    {
        for (var i = 0; i < 10_000; i++)
        {
            // So few different digits that groups collide all the time.
            var groups = Enumerable.Range(0, 12).Select(_ => (RandomNumberGenerator.GetInt32(3) * 11111).ToString("00000", CultureInfo.InvariantCulture)).ToArray();
            string[] rows = [.. groups.Chunk(4).Select(row => string.Join(' ', row))];
            if (rows.Distinct().Count() < rows.Length)
            {
                continue;
            }

            var transcript = new Transcript();
            Assert.Null(transcript.Difference(Written, string.Join("\n  ", rows.Prepend("Safety number with bob:"))));
            Assert.Null(transcript.Difference(Written, string.Join("\n  ", rows.Prepend("Safety number with bob:"))));
            Assert.NotNull(transcript.Difference(Written, string.Join("\n  ", rows.Reverse().Prepend("Safety number with bob:"))));
        }
    }

    [Fact]
    public void A_recovery_key_that_begins_with_digits_stands_for_the_written_one()
    {
        var transcript = new Transcript();

        Assert.Null(transcript.Difference(["7Q2M4-XK9RD-0V3TB-H8WZE"], "12345-XXXXX-00000-YYYYY"));

        Assert.Equal("12345-XXXXX-00000-YYYYY", transcript.Real("7Q2M4-XK9RD-0V3TB-H8WZE"));
    }
}
