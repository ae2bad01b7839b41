namespace SecureChat.Server;

internal static class Program
{
    private static void Main(string[] args) => WebApplication.Create(args).Run();
}
