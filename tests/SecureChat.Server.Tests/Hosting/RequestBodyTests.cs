using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace SecureChat.Server.Tests.Hosting;

/// <summary>What the server reads of a body, and the state that it leaves its reader in: else Kestrel reports an error and ends the connection.</summary>
public sealed class RequestBodyTests
{
    [Theory]
    [InlineData(10, true)]
    [InlineData(11, false)]
    public async Task A_body_is_read_to_its_end_or_refused_and_the_connection_can_go_on(int length, bool fits)
    {
        var ct = TestContext.Current.CancellationToken;
        var pipe = new Pipe();
        await pipe.Writer.WriteAsync(new byte[length], ct);
        await pipe.Writer.CompleteAsync();
        var context = new DefaultHttpContext();
        context.Features.Set<IRequestBodyPipeFeature>(new Body(pipe.Reader));

        var body = await RequestBody.ReadAsync(context.Request, most: 10, ct);

        Assert.Equal(fits ? length : null, body?.Length);
        var rest = await pipe.Reader.ReadAsync(ct);
        Assert.True(rest.IsCompleted && rest.Buffer.IsEmpty);
    }

    private sealed record Body(PipeReader Reader) : IRequestBodyPipeFeature;
}
