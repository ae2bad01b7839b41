using System.Text.Json;
using System.Text.Json.Serialization;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Backups;
using SecureChat.Protocol.Calls;
using SecureChat.Protocol.Groups;
using SecureChat.Protocol.Health;
using SecureChat.Protocol.Keys;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Push;
using SecureChat.Protocol.Senders;

namespace SecureChat.Protocol;

/// <summary>Every type that crosses the wire as JSON. A type not listed here does not cross it.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(DeviceAddress))]
[JsonSerializable(typeof(OtpRequest))]
[JsonSerializable(typeof(OtpChallenge))]
[JsonSerializable(typeof(Register))]
[JsonSerializable(typeof(Session))]
[JsonSerializable(typeof(Refresh))]
[JsonSerializable(typeof(JsonWebKeySet))]
[JsonSerializable(typeof(PublishKeys))]
[JsonSerializable(typeof(KeyCounts))]
[JsonSerializable(typeof(CheckKeys))]
[JsonSerializable(typeof(FetchKeys))]
[JsonSerializable(typeof(KeyBundles))]
[JsonSerializable(typeof(ReadyAnswer))]
[JsonSerializable(typeof(VersionAnswer))]
[JsonSerializable(typeof(SocketTicket))]
[JsonSerializable(typeof(SendMessage))]
[JsonSerializable(typeof(RecipientMismatch[]))]
[JsonSerializable(typeof(ReceivedMessages))]
[JsonSerializable(typeof(AckMessages))]
[JsonSerializable(typeof(SealedMessage))]
[JsonSerializable(typeof(DeliveryCertificate))]
[JsonSerializable(typeof(SenderRoot))]
[JsonSerializable(typeof(SendPolicy))]
[JsonSerializable(typeof(DeliveryTokens))]
[JsonSerializable(typeof(BlockSender))]
[JsonSerializable(typeof(ReportMessage))]
[JsonSerializable(typeof(DeviceList))]
[JsonSerializable(typeof(PublishDeviceList))]
[JsonSerializable(typeof(RenameDevice))]
[JsonSerializable(typeof(LinkCode))]
[JsonSerializable(typeof(LinkDevice))]
[JsonSerializable(typeof(ProvisioningMessage))]
[JsonSerializable(typeof(ReserveUsername))]
[JsonSerializable(typeof(UsernameHash))]
[JsonSerializable(typeof(ConfirmUsername))]
[JsonSerializable(typeof(PutUsernameLink))]
[JsonSerializable(typeof(UsernameLink))]
[JsonSerializable(typeof(EncryptedUsername))]
[JsonSerializable(typeof(LookUpIdentifier))]
[JsonSerializable(typeof(FoundAccount))]
[JsonSerializable(typeof(Discoverable))]
[JsonSerializable(typeof(SetRegistrationLock))]
[JsonSerializable(typeof(AccountData))]
[JsonSerializable(typeof(PutPush))]
[JsonSerializable(typeof(VapidKey))]
[JsonSerializable(typeof(CallRelays))]
[JsonSerializable(typeof(PutBackup))]
[JsonSerializable(typeof(BackupState))]
[JsonSerializable(typeof(PutGroup))]
[JsonSerializable(typeof(GroupState))]
[JsonSerializable(typeof(GroupPreview))]
[JsonSerializable(typeof(AskToJoin))]
[JsonSerializable(typeof(JoinRequests))]
public sealed partial class ProtocolJson : JsonSerializerContext
{
    /// <summary>Makes <paramref name="options"/> as strict as the protocol: both sides call it on their own options.</summary>
    /// <remarks>
    /// The strictness has to sit on the options: ASP.NET Core uses the host's and ignores those of a context.
    /// Unknown members are ignored on purpose, so that an old server meets a new client.
    /// </remarks>
    public static void Apply(JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        options.PropertyNameCaseInsensitive = false;
        options.AllowDuplicateProperties = false;
        options.RespectNullableAnnotations = true;
        options.RespectRequiredConstructorParameters = true;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        options.UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip;
        options.MaxDepth = 16;
        options.TypeInfoResolverChain.Insert(0, Default);
    }
}
