using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.Playwright;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>Two pages in a room that may not be able to connect, and what of their files the server sees.</summary>
internal static class RelayedFiles
{
    /// <summary>No TURN server, whatever the site offers, and none of the device's own addresses: while it is cut, no connection comes up.</summary>
    public const string Unreachable = """
        seen.wasConnected = false;
        seen.said = [];
        window.isCut = true;
        window.RTCPeerConnection = class extends RTCPeerConnection {
          constructor(configuration) {
            super(isCut ? { ...configuration, iceServers: [], iceTransportPolicy: "relay" } : configuration);
            this.addEventListener("connectionstatechange", () => { seen.wasConnected ||= this.connectionState === "connected"; });
          }
        };
        {
          const real = JSON.stringify;
          JSON.stringify = (value, ...rest) => {
            if (value?.kind?.startsWith("file-")) { seen.said.push(structuredClone(value)); }
            return real(value, ...rest);
          };
        }

        """;

    /// <summary>In one room, each aware of the other; connected or not.</summary>
    public static async Task MeetAsync(CallPage alice, CallPage bob, bool areHidden = true)
    {
        var secret = CallPage.NewSecret();
        await alice.JoinAsync(secret, "Alice", areHidden);
        await alice.UntilAsync("document.querySelector('#status').textContent.startsWith('Nobody')");
        await bob.JoinAsync(secret, "Bob", areHidden);
        foreach (var page in new[] { alice, bob })
        {
            await page.UntilAsync("document.querySelectorAll('.tile').length === 2");
        }
    }

    /// <summary>What the pages ask of the media relay.</summary>
    public static ConcurrentQueue<IRequest> MediaRequestsOf(params CallPage[] pages)
    {
        var asked = new ConcurrentQueue<IRequest>();
        foreach (var page in pages)
        {
            page.Page.Request += (_, request) =>
            {
                if (request.Url.Contains("/media", StringComparison.Ordinal) && !request.Url.EndsWith(".js", StringComparison.Ordinal))
                {
                    asked.Enqueue(request);
                }
            };
        }

        return asked;
    }

    /// <summary>What a page said about files to the other one, by whichever way.</summary>
    public static async Task<List<JsonNode>> SaidAsync(CallPage page, string kind)
    {
        var said = await page.Page.EvaluateAsync<string>("kind => JSON.stringify(seen.said.filter(one => one.kind === kind))", kind);
        return [.. JsonNode.Parse(said)!.AsArray().OfType<JsonNode>()];
    }
}
