namespace SecureChat.Scenarios.Support;

/// <summary>The two ways to run: everything on one machine, or on shared stores.</summary>
public enum StorePair
{
    /// <summary>SQLite and process memory.</summary>
    Embedded,

    /// <summary>PostgreSQL and Redis.</summary>
    Shared,
}
