using System.Reflection;

namespace SecureChat.Signal.Tests.Support;

/// <summary>Stores of which one call fails before it has done anything, as when the process ends there.</summary>
internal sealed class Interruption(int failing)
{
    /// <summary>Calls until now.</summary>
    public int Calls { get; private set; }

    public T On<T>(T store)
        where T : class
    {
        var proxy = DispatchProxy.Create<T, Proxy>();
        ((Proxy)(object)proxy).Run = (method, arguments) =>
            Calls++ == failing ? throw new IOException() : method.Invoke(store, arguments);
        return proxy;
    }

#pragma warning disable CA1852 // The runtime derives from it.
    internal class Proxy : DispatchProxy
#pragma warning restore CA1852
    {
        public Func<MethodInfo, object?[]?, object?> Run { get; set; } = null!;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => Run(targetMethod!, args);
    }
}
