using System.Collections;
using System.Reflection;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Hosting;

/// <summary>Where settings come from, and every sentence about a wrong one.</summary>
/// <remarks>
/// Later sources win: <c>appsettings.json</c> beside the program, then in the working directory; <c>SECURECHAT_SECTION__NAME</c>;
/// <c>SECURECHAT_SECTION__NAME_FILE</c> (the value is the file's content); <c>--Section:Name value</c>.
/// </remarks>
internal static class Settings
{
    public const string Prefix = "SECURECHAT_";
    private const string FileSuffix = "_FILE";

    public static void AddSources(ConfigurationManager configuration, IReadOnlyList<string> args)
    {
        configuration.Sources.Clear();
        configuration.AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: true);
        configuration.AddJsonFile(Path.GetFullPath("appsettings.json"), optional: true);
        configuration.AddEnvironmentVariables(Prefix);
        configuration.AddInMemoryCollection(FromFiles(Environment.GetEnvironmentVariables()));
        configuration.AddCommandLine([.. args]);
    }

    /// <summary>Registers a section's options, to be validated at start and listed by <see cref="Problems"/>.</summary>
    public static void AddSettings<TOptions, TValidator>(this IServiceCollection services, string section)
        where TOptions : class, new()
        where TValidator : class, IValidateOptions<TOptions>
    {
        services.AddOptionsWithValidateOnStart<TOptions, TValidator>().BindConfiguration(section);
        services.AddSingleton(new SettingsSection(section, typeof(TOptions), provider => Validate<TOptions>(provider)
            .Select(sentence => Complete<TOptions>(section, sentence))));
    }

    /// <summary>A sentence for each wrong setting: its name, what is wrong, an example. Empty: all is well.</summary>
    public static IReadOnlyList<string> Problems(IServiceProvider services, IConfiguration configuration)
    {
        var sections = services.GetServices<SettingsSection>().ToList();
        return [.. Unknown(sections, configuration), .. sections.SelectMany(section => section.Validate(services))];
    }

    /// <summary>The environment variable that sets a setting.</summary>
    public static string VariableOf(string section, string name) =>
        $"{Prefix}{section.ToUpperInvariant()}__{name.ToUpperInvariant()}";

    /// <summary>The settings whose values are in files that the environment names.</summary>
    /// <exception cref="SettingsException">A file cannot be read, or not only its owner can read it.</exception>
    internal static Dictionary<string, string?> FromFiles(IDictionary environment)
    {
        var settings = new Dictionary<string, string?>();
        foreach (DictionaryEntry variable in environment)
        {
            var name = (string)variable.Key;
            if (!name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)
                || !name.EndsWith(FileSuffix, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            var key = name[Prefix.Length..^FileSuffix.Length].Replace("__", ":", StringComparison.Ordinal);
            if (key.Equals("Server:Certificate", StringComparison.OrdinalIgnoreCase)
                || key.Equals("Server:CertificateKey", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            try
            {
                Storage.OwnerOnly.Check((string)variable.Value!);
                settings[key] = File.ReadAllText((string)variable.Value!).Trim();
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
            {
                throw new SettingsException(
                    $"{name} must name a file that can be read, for example '/run/secrets/postgres': {failure.Message}");
            }
        }

        return settings;
    }

    private static IEnumerable<string> Validate<TOptions>(IServiceProvider services)
        where TOptions : class, new()
    {
        try
        {
            _ = services.GetRequiredService<IOptionsMonitor<TOptions>>().CurrentValue;
            return [];
        }
        catch (OptionsValidationException wrong)
        {
            return wrong.Failures;
        }
        catch (InvalidOperationException unreadable)
        {
            // The binder names the setting and the type it could not read; the value may be a secret and stays out.
            return [unreadable.InnerException is { } inner ? $"{unreadable.Message} {inner.Message}" : unreadable.Message];
        }
    }

    // Validators name the property; the operator needs the setting's whole name, and to see a value that would do.
    private static string Complete<TOptions>(string section, string sentence)
        where TOptions : class, new()
    {
        const string FrameworkStart = "The field ";
        var plain = sentence.StartsWith(FrameworkStart, StringComparison.Ordinal) ? sentence[FrameworkStart.Length..] : sentence;
        var named = plain.Contains(section + ":", StringComparison.Ordinal) ? plain : $"{section}:{plain}";
        var property = typeof(TOptions).GetProperties().FirstOrDefault(candidate =>
            named.Contains($"{section}:{candidate.Name}", StringComparison.OrdinalIgnoreCase));
        var good = property?.GetValue(new TOptions());
        return good is null or "" or Array || named.Contains("for example", StringComparison.Ordinal)
            ? named
            : $"{named} For example {VariableOf(section, property!.Name)}={good}.";
    }

    private static bool IsFile(SettingsSection section, string key) =>
        key.EndsWith(FileSuffix, StringComparison.OrdinalIgnoreCase) && section.Has(key[..^FileSuffix.Length]);

    private static IEnumerable<string> Unknown(List<SettingsSection> sections, IConfiguration configuration)
    {
        foreach (var child in configuration.GetChildren())
        {
            // Hosting's own: not ours to refuse.
            if (child.Key is "Logging" or "AllowedHosts" or "environment" or "contentRoot" or "applicationName" or "urls")
            {
                continue;
            }

            var section = sections.Find(known => known.Name.Equals(child.Key, StringComparison.OrdinalIgnoreCase));
            if (section is null)
            {
                yield return $"{child.Key} is no section of the settings. There are: {string.Join(", ", sections.Select(s => s.Name).Order())}.";
                continue;
            }

            foreach (var setting in child.GetChildren().Where(setting => !section.Has(setting.Key) && !IsFile(section, setting.Key)))
            {
                yield return $"{section.Name}:{setting.Key} is no setting. {section.Name} has: {string.Join(", ", section.Properties)}.";
            }
        }
    }
}

/// <summary>A section of the settings and the type that documents it.</summary>
internal sealed record SettingsSection(string Name, Type Type, Func<IServiceProvider, IEnumerable<string>> Validate)
{
    public IEnumerable<string> Properties => Type
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.CanWrite)
        .Select(property => property.Name);

    public bool Has(string name) => Properties.Contains(name, StringComparer.OrdinalIgnoreCase);
}

/// <summary>A setting that stops the start; the message is for the operator.</summary>
internal sealed class SettingsException(string message) : Exception(message);
