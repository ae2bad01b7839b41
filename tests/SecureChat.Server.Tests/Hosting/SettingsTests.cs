using System.Collections;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Server.Hosting;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Tests.Hosting;

/// <summary>A wrong setting or a weak secret stops the start with a sentence that says what to change.</summary>
[SupportedOSPlatform("linux"), SupportedOSPlatform("macos")]
public sealed class SettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("securechat-settings-").FullName;

    [Theory]
    [InlineData("Server:Api", "ftp://localhost")]
    [InlineData("Server:Management", "http://127.0.0.1:8080")]
    [InlineData("Server:TrustedProxies:0", "proxy.local")]
    [InlineData("Server:AllowedOrigins:0", "https://chat.example/path")]
    [InlineData("Server:DrainSeconds", "0")]
    [InlineData("Storage:MaxQueueEnvelopes", "1")]
    [InlineData("Storage:Postgres", "nonsense")]
    [InlineData("Messages:Life", "03:00:00")]
    [InlineData("Messages:Life", "02:01:00")]
    [InlineData("Messages:Life", "00:29:00")]
    [InlineData("Otp:Email", "console")]
    [InlineData("Tokens:AccessLife", "2.00:00:00")]
    [InlineData("Limits:Scale", "-1")]
    [InlineData("Limits:Overrides:sent:Burst", "10")]
    [InlineData("Limits:Overrides:send:Brust", "10")]
    [InlineData("Limits:Overrides:send:Burst", "1")]
    [InlineData("Limits:Overrides:send-sealed:Burst", "1000")]
    [InlineData("Limits:Overrides:otp:Burst", "NaN")]
    [InlineData("Limits:Overrides:otp:Every", "00:00:00")]
    [InlineData("Limits:Overrides:otp:Every", "-00:00:01")]
    [InlineData("Limits:Overrides:look-up:Every", "10.00:00:00")]
    public void A_wrong_setting_is_named_with_an_example(string name, string value)
    {
        var wrong = Assert.Throws<SettingsException>(() => Build($"--{name}={value}"));

        var setting = string.Join(':', name.Split(':')[..2]);
        var sentence = Assert.Single(wrong.Message.Split('\n'), line => Mentions(line, setting));
        Assert.True(Mentions(sentence, "example") || Mentions(sentence, "Use "), sentence);
    }

    [Theory]
    [InlineData("Server:Apj", "Server:Apj is no setting. Server has: Api")]
    [InlineData("Sever:Api", "Sever is no section of the settings. There are: Accounts")]
    public void A_misspelt_setting_is_refused_with_the_names_there_are(string name, string expected)
    {
        var wrong = Assert.Throws<SettingsException>(() => Build($"--{name}=x"));

        Assert.Contains(expected, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Https_without_a_certificate_is_refused()
    {
        var wrong = Assert.Throws<SettingsException>(() => Build("--Server:Api=https://*:8443"));

        Assert.Contains("Server:CertificateFile and Server:CertificateKeyFile must be set", wrong.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Storage:StartPatienceSeconds", "soon")]
    [InlineData("Accounts:Registration", "perhaps")]
    [InlineData("Limits:Overrides:otp:Burst", "many")]
    public void A_value_of_the_wrong_kind_is_refused_by_name(string name, string value)
    {
        var wrong = Assert.Throws<SettingsException>(() => Build($"--{name}={value}"));

        Assert.Contains(name, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Checking_the_settings_exits_with_0_or_2_and_makes_no_files()
    {
        var data = Path.Combine(_folder, "data");

        Assert.Equal(0, CommandLine.Run(["--check-config", $"--Storage:DataFolder={data}"]));
        Assert.Equal(2, CommandLine.Run(["--check-config", $"--Storage:DataFolder={data}", "--Server:Api=ftp://localhost"]));
        Assert.Equal(2, CommandLine.Run(["--check-config", "serve"]));

        Assert.False(Directory.Exists(data));
    }

    [Fact]
    public void A_setting_can_come_from_a_file_that_only_its_owner_reads()
    {
        var file = SecretFile("s3cr3t\n");
        var environment = new Hashtable { ["SECURECHAT_STORAGE__POSTGRES_FILE"] = file };

        Assert.Equal("s3cr3t", Settings.FromFiles(environment)["STORAGE:POSTGRES"]);

        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Contains("chmod 600", Assert.Throws<SettingsException>(() => Settings.FromFiles(environment)).Message, StringComparison.Ordinal);
        environment["SECURECHAT_STORAGE__POSTGRES_FILE"] = file + ".gone";
        var gone = Assert.Throws<SettingsException>(() => Settings.FromFiles(environment));
        Assert.StartsWith("SECURECHAT_STORAGE__POSTGRES_FILE must name a file", gone.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_start_makes_its_secrets_for_the_owner_alone_and_later_starts_keep_them()
    {
        var first = Secrets.Load(new SecretsOptions(), _folder);
        var second = Secrets.Load(new SecretsOptions(), _folder);

        Assert.Equal(4, new[] { first.TokenKey, first.IdentifierKey, first.OtpKey, first.PushKey }.Select(Convert.ToHexString).Distinct().Count());
        Assert.Equal(first.TokenKey, second.TokenKey);
        Assert.Equal(["identifier.key", "otp.key", "push.key", "token.key"], Directory.GetFiles(_folder).Select(Path.GetFileName).Order());
        Assert.All(Directory.GetFiles(_folder), file =>
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file)));
    }

    [Fact]
    public void A_secret_that_the_group_can_read_is_refused()
    {
        Secrets.Load(new SecretsOptions(), _folder);
        var file = Path.Combine(_folder, "otp.key");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.GroupRead);

        var refused = Assert.Throws<SettingsException>(() => Secrets.Load(new SecretsOptions(), _folder));

        Assert.Contains($"chmod 600 {file}", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("changeme-changeme-changeme-changeme-1234567890")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("short")]
    public void A6_a_known_short_or_repeating_secret_is_refused(string text)
    {
        var options = new SecretsOptions { TokenKey = Convert.ToBase64String(Encoding.UTF8.GetBytes(text)) };

        var refused = Assert.Throws<SettingsException>(() => Secrets.Load(options, _folder));

        Assert.StartsWith("Secrets:TokenKey", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(options.TokenKey, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_random_secret_from_the_settings_is_taken()
    {
        var key = RandomNumberGenerator.GetBytes(32);

        Assert.Equal(key, Secrets.Load(new SecretsOptions { TokenKey = Convert.ToBase64String(key) }, _folder).TokenKey);
        Assert.False(File.Exists(Path.Combine(_folder, "token.key")));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Build(string setting) => Server.Hosting.Server.Build([$"--Storage:DataFolder={_folder}", setting]);

    private static bool Mentions(string line, string text) => line.Contains(text, StringComparison.OrdinalIgnoreCase);

    private string SecretFile(string content)
    {
        var file = Path.Combine(_folder, "secret");
        File.WriteAllText(file, content);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }
}
