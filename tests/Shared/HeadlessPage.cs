using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;

namespace SecureChat.Tests;

/// <summary>Opens a published page in a headless Chromium, and waits for what the page posts back to <c>/result</c>.</summary>
internal static class HeadlessPage
{
    /// <summary>What the page posted.</summary>
    /// <param name="folder">The published <c>wwwroot</c>.</param>
    /// <param name="patience">How long to wait.</param>
    /// <param name="port">Where the page is served; 0: anywhere.</param>
    /// <param name="settings">What the page finds at <c>/settings</c>.</param>
    /// <exception cref="InvalidOperationException">Nothing came: the browser's output is in the message.</exception>
    public static async Task<string> ResultAsync(string folder, TimeSpan patience, CancellationToken ct, int port = 0, string settings = "")
    {
        var result = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var site = await ServeAsync(folder, result, port, settings, ct);
        var profile = Directory.CreateTempSubdirectory("securechat-chromium-");
        using var browser = Open(site.Urls.First(), profile.FullName);
        var output = browser.StandardError.ReadToEndAsync(ct);
        try
        {
            return await result.Task.WaitAsync(patience, ct);
        }
        catch (TimeoutException)
        {
            browser.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"The page posted nothing in {patience}. Chromium said:\n{await output}");
        }
        finally
        {
            browser.Kill(entireProcessTree: true);
            await browser.WaitForExitAsync(CancellationToken.None);
            DeleteProfile(profile);
        }
    }

    private static async Task<WebApplication> ServeAsync(
        string folder, TaskCompletionSource<string> result, int port, string settings, CancellationToken ct)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        var site = builder.Build();
        var types = new FileExtensionContentTypeProvider();
        types.Mappings[".dat"] = "application/octet-stream";
        var files = new PhysicalFileProvider(folder);
        site.UseDefaultFiles(new DefaultFilesOptions { FileProvider = files });
        site.UseStaticFiles(new StaticFileOptions { FileProvider = files, ContentTypeProvider = types });
        site.MapGet("/settings", () => settings);
        site.MapPost("/result", async (HttpRequest request) =>
        {
            using var reader = new StreamReader(request.Body);
            result.TrySetResult(await reader.ReadToEndAsync(request.HttpContext.RequestAborted));
        });
        await site.StartAsync(ct);
        return site;
    }

    private static Process Open(string url, string profile)
    {
        // The sandbox needs a user other than root; the page is our own, and nothing else is opened.
        var start = new ProcessStartInfo("chromium",
        [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
            $"--user-data-dir={profile}", "--remote-debugging-port=0", url,
        ])
        {
            RedirectStandardError = true,
        };
        return Process.Start(start) ?? throw new InvalidOperationException("Chromium did not start.");
    }

    private static void DeleteProfile(DirectoryInfo profile)
    {
        try
        {
            profile.Delete(recursive: true);
        }
        catch (IOException)
        {
            // A process of the browser may still be writing as it goes down; the folder is a temporary one.
        }
    }
}
