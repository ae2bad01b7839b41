using System.Text.Json.Nodes;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>The page makes and opens files for the media relay as everybody else does. Spec: docs/protocol/media.md#format-of-a-file.</summary>
[Collection(nameof(CallSite))]
public sealed class MediaFormatTests(CallSite site)
{
    [Fact]
    public async Task The_page_encrypts_and_opens_files_as_the_vectors_have_them()
    {
        await using var page = await OpenAsync();
        var file = Path.Combine(AppContext.BaseDirectory, "../../../../../vectors/media/files.json");
        var tests = JsonNode.Parse(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken))!["tests"]!.AsArray();

        Assert.NotEmpty(tests);
        foreach (var test in tests)
        {
            var made = await page.Page.EvaluateAsync<string>("""
                async text => {
                  const test = JSON.parse(text);
                  const { encrypt, fileLength, Opening } = await import("/call-demo/media.js");
                  const { concat, fromBase64, toBase64 } = await import("/call-demo/encoding.js");
                  const [key, content] = [fromBase64(test.mediaKey), Uint8Array.from({ length: test.contentLength }, (_, i) => 7 * i + Math.floor(i / 256))];
                  const parts = [];
                  for await (const part of encrypt(new Blob([content]), key)) { parts.push(part); }
                  const file = concat(...parts);
                  const [opening, opened] = [await Opening.begin(key, content.length), []];
                  for (let at = 0; at < file.length; at += 50_000) { opened.push(...await opening.take(file.slice(at, at + 50_000))); }
                  const hash = async bytes => toBase64(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
                  return JSON.stringify({
                    contentLength: test.contentLength, mediaKey: test.mediaKey, fileLength: file.length, header: toBase64(file.slice(0, 32)), firstBytes: toBase64(file.slice(32, 96)),
                    sha256: await hash(file), foreseen: fileLength(content.length) === file.length, back: opening.isDone && await hash(concat(...opened)) === await hash(content),
                  });
                }
                """, test!.ToJsonString());

            var expected = test.DeepClone().AsObject();
            (expected["foreseen"], expected["back"]) = (true, true);
            Assert.Equal(expected.ToJsonString(), JsonNode.Parse(made)!.ToJsonString());
        }
    }

    [Fact]
    public async Task The_page_opens_nothing_of_a_file_that_is_not_the_one_that_was_made()
    {
        await using var page = await OpenAsync();

        var outcomes = await page.Page.EvaluateAsync<string[]>("""
            async () => {
              const { encrypt, Opening } = await import("/call-demo/media.js");
              const { concat, randomBytes } = await import("/call-demo/encoding.js");
              const [key, size] = [randomBytes(32), 131_072 + 3];
              const make = async key => { const parts = []; for await (const part of encrypt(new Blob([new Uint8Array(size)]), key)) { parts.push(part); } return concat(...parts); };
              const [file, other] = [await make(key), await make(randomBytes(32))];
              const flipped = at => { const copy = file.slice(); copy[at] ^= 1; return copy; };
              const segment = i => file.slice(32 + i * 65_552, 32 + (i + 1) * 65_552);
              const tried = {
                whole: file, header: flipped(31), first: flipped(32), tag: flipped(32 + 65_551), last: flipped(file.length - 1), other,
                "other under this key's commitment": concat(file.slice(0, 32), other.slice(32)), swapped: concat(file.slice(0, 32), segment(1), segment(0), segment(2)),
                repeated: concat(file.slice(0, 32), segment(0), segment(0), segment(2)), cut: file.slice(0, -segment(2).length), longer: concat(file, new Uint8Array(1)),
              };
              return Promise.all(Object.entries(tried).map(async ([what, bytes]) => {
                const opening = await Opening.begin(key, size);
                const opened = await opening.take(bytes).then(() => "taken", error => error.constructor.name);
                return `${what}: ${opened}, ${opening.isDone ? "done" : "not done"}`;
              }));
            }
            """);

        Assert.Equal(["whole: taken, done", "cut: taken, not done"], outcomes.Where(one => one.Contains("taken", StringComparison.Ordinal)));
        Assert.All(outcomes.Skip(1), one => Assert.EndsWith("not done", one, StringComparison.Ordinal));
        Assert.Equal(9, outcomes.Count(one => one.Contains(": Damaged", StringComparison.Ordinal)));
    }

    private async Task<CallPage> OpenAsync()
    {
        var page = await site.NewPageAsync();
        await page.Page.GotoAsync(new Uri(site.Api, "/call-demo").ToString());
        return page;
    }
}
