using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Senders;

/// <summary><c>securechat-server reports</c>: what recipients reported; works beside a running server, on its database.</summary>
internal static class ReportsCommand
{
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "One JSON object a line, with the evidence as base64." };
        var reports = new Command(
            "reports", "Lists what recipients reported in the last 30 days: day, sender (not named if the message was sealed), evidence.")
        {
            json,
        };
        return CommandLine.On<Reports>(reports, async (store, parsed, ct) =>
        {
            foreach (var report in await store.ListAsync(ct))
            {
                Terminal.WriteLine(parsed.GetValue(json) ? Json(report) : Line(report));
            }

            return 0;
        });
    }

    /// <summary>A report for people.</summary>
    public static string Line(ReportRow report) => string.Create(
        CultureInfo.InvariantCulture,
        $"{Days.ToDate(report.ReportedDay):yyyy-MM-dd}  {report.Account?.ToString() ?? "sealed"}  {report.Evidence?.Length ?? 0} bytes of evidence");

    /// <summary>A report for programs.</summary>
    public static string Json(ReportRow report)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("day", Days.ToDate(report.ReportedDay).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
            if (report.Account is { } account)
            {
                json.WriteString("sender", account);
            }

            if (report.Evidence is { } evidence)
            {
                json.WriteBase64String("evidence", evidence);
            }

            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }
}
