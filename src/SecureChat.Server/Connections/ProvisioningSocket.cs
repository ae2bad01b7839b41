using System.Net.WebSockets;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Connections;

/// <summary>The socket of a device that is not linked yet. Spec: docs/protocol/transport.md#provisioning.</summary>
internal static class ProvisioningSocket
{
    /// <summary>Between signs of life: a person may take a while to scan the code.</summary>
    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(20);

    /// <summary>Sends the address, then the one message that arrives there; ends after it, or with the address's life.</summary>
    public static async Task RunAsync(WebSocket socket, ProvisioningAddress address, bool isJson, CancellationToken aborted)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        var farewell = WaitForFarewellAsync(socket, end);
        try
        {
            // Sending ends with the connection only: a cancelled send would cut off the answer to a farewell.
            await SendAsync(socket, new Provisioning { Address = ByteString.CopyFrom(address.Address) }, isJson, aborted);
            if (await address.ReceiveAsync(end.Token) is { } message)
            {
                await SendAsync(socket, new Provisioning { Message = ByteString.CopyFrom(message) }, isJson, aborted);
            }

            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, aborted);
            await farewell.WaitAsync(SessionTable.CloseTimeout, end.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException or TimeoutException)
        {
            // The device gave up.
        }
        finally
        {
            await AnswerFarewellAsync(socket, aborted);
            socket.Abort();
            await farewell;
        }
    }

    private static async Task AnswerFarewellAsync(WebSocket socket, CancellationToken ct)
    {
        if (socket.State is not WebSocketState.CloseReceived)
        {
            return;
        }

        try
        {
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, ct);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
        {
            // It did not wait for the answer.
        }
    }

    private static Task SendAsync(WebSocket socket, Provisioning provisioning, bool isJson, CancellationToken ct)
    {
        var frame = new ServerFrame { Provisioning = provisioning }.ToByteArray();
        return isJson
            ? socket.SendAsync(FrameJson.FromBinary(frame, default), WebSocketMessageType.Text, true, ct)
            : socket.SendAsync(frame, WebSocketMessageType.Binary, true, ct);
    }

    // The device has nothing to say here: whatever it sends ends the wait.
    private static async Task WaitForFarewellAsync(WebSocket socket, CancellationTokenSource end)
    {
        try
        {
            await socket.ReceiveAsync(new byte[16], end.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
        {
            // As good as a farewell.
        }

        if (socket.State != WebSocketState.Closed)
        {
            await end.CancelAsync();
        }
    }
}
