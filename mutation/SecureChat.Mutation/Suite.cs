using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;

namespace SecureChat.Mutation;

/// <summary>
/// The tests and the mutated library, loaded side by side with other copies of themselves, so that a copy's static fields
/// can be made under a mutant. Everything else is shared.
/// </summary>
internal sealed class Suite : IDisposable
{
    private readonly LoadContext _context;
    private readonly Dictionary<Type, object> _fixtures = [];
    private readonly FieldInfo _active;
    private readonly Assembly _library;
    private readonly byte[] _reached = new byte[1 << 16];

    public Suite(string testAssembly)
    {
        _context = new LoadContext(Path.GetFullPath(testAssembly));
        var tests = _context.LoadFromAssemblyPath(Path.GetFullPath(testAssembly));
        _library = _context.LoadFromAssemblyName(new AssemblyName("SecureChat.Signal"));
        var control = _library.GetTypes().Single(type => type.Name == MutatedLibrary.Control);
        _active = control.GetField("ActiveMutant")!;
        _active.SetValue(null, -1);
        control.GetField(MutatedLibrary.Reached)!.SetValue(null, _reached);
        Cases = [.. tests.GetTypes().Where(type => type is { IsClass: true, IsPublic: true, IsAbstract: false })
            .OrderBy(type => type.FullName, StringComparer.Ordinal)
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance).SelectMany(method => CasesOf(type, method)))];
    }

    public IReadOnlyList<Case> Cases { get; }

    /// <summary>The mutant that is switched on; -1 for none.</summary>
    public int Active
    {
        set => _active.SetValue(null, value);
    }

    /// <summary>Runs a test and says which mutants it reached. None is switched on meanwhile.</summary>
    public IReadOnlyList<int> Reached(Action test)
    {
        Array.Clear(_reached);
        test();
        return [.. Enumerable.Range(0, _reached.Length).Where(mutant => _reached[mutant] != 0)];
    }

    /// <summary>Makes all static fields of the library, with no mutant switched on.</summary>
    public void MakeStaticFields()
    {
        foreach (var type in _library.GetTypes().Where(type => !type.ContainsGenericParameters))
        {
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        }
    }

    public void Dispose()
    {
        foreach (var fixture in _fixtures.Values.OfType<IAsyncDisposable>())
        {
            fixture.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }

        _context.Unload();
    }

    private IEnumerable<Case> CasesOf(Type type, MethodInfo method)
    {
        var attributes = method.GetCustomAttributes().ToArray();
        var fact = attributes.FirstOrDefault(attribute => attribute.GetType().Name is "FactAttribute" or "TheoryAttribute");
        if (fact is null || (bool)Property(fact, "Explicit")! || Property(fact, "Skip") is not null)
        {
            return [];
        }

        if (method.GetParameters().Length == 0)
        {
            return [new Case($"{type.Name}.{method.Name}", () => Run(type, method, []))];
        }

        return attributes.SelectMany(attribute => RowsOf(type, attribute)).Select((row, i) =>
            new Case($"{type.Name}.{method.Name}#{i}", () => Run(type, method, row)));
    }

    private static IEnumerable<object?[]> RowsOf(Type type, Attribute attribute) => attribute.GetType().Name switch
    {
        "InlineDataAttribute" => [(object?[])Property(attribute, "Data")!],
        "MemberDataAttribute" => Rows((Type?)Property(attribute, "MemberType") ?? type, (string)Property(attribute, "MemberName")!),
        _ => [],
    };

    private static object? Property(Attribute attribute, string name) =>
        attribute.GetType().GetProperty(name)!.GetValue(attribute);

    private static IEnumerable<object?[]> Rows(Type type, string member)
    {
        const BindingFlags any = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static;
        var rows = (IEnumerable)(type.GetProperty(member, any)?.GetValue(null) ?? type.GetMethod(member, any)!.Invoke(null, null)!);
        foreach (var row in rows)
        {
            yield return row as object?[] ?? (object?[])row.GetType().GetInterface("ITheoryDataRow")!.GetMethod("GetData")!.Invoke(row, null)!;
        }
    }

    private void Run(Type type, MethodInfo method, object?[] row)
    {
        var test = type.GetConstructors().Single() is { } constructor
            ? constructor.Invoke([.. constructor.GetParameters().Select(parameter => Fixture(parameter.ParameterType))])
            : null;
        try
        {
            var parameters = method.GetParameters();
            var arguments = Gather(row, parameters).Select((value, i) => Convert(value, parameters[i].ParameterType)).ToArray();
            switch (method.Invoke(test, BindingFlags.DoNotWrapExceptions, null, arguments, null))
            {
                case Task task:
                    task.GetAwaiter().GetResult();
                    break;
                case ValueTask task:
                    task.AsTask().GetAwaiter().GetResult();
                    break;
                default:
                    break;
            }
        }
        finally
        {
            (test as IDisposable)?.Dispose();
        }
    }

    // What is left of a row is the array of a last parameter that is declared params; what a row lacks has a default.
    private static object?[] Gather(object?[] row, ParameterInfo[] parameters)
    {
        if (row.Length < parameters.Length && parameters[row.Length].HasDefaultValue)
        {
            return [.. row, .. parameters[row.Length..].Select(parameter => parameter.DefaultValue)];
        }

        if (parameters is not [.., var last] || !last.IsDefined(typeof(ParamArrayAttribute)) || row.LastOrDefault()?.GetType() == last.ParameterType)
        {
            return row;
        }

        var element = last.ParameterType.GetElementType()!;
        var rest = row[(parameters.Length - 1)..];
        var array = Array.CreateInstance(element, rest.Length);
        for (var i = 0; i < rest.Length; i++)
        {
            array.SetValue(Convert(rest[i], element), i);
        }

        return [.. row[..(parameters.Length - 1)], array];
    }

    private static object? Convert(object? value, Type type) =>
        value is IConvertible && value.GetType() != type && !type.IsEnum && Nullable.GetUnderlyingType(type) is null
            ? System.Convert.ChangeType(value, type, System.Globalization.CultureInfo.InvariantCulture)
            : value;

    private object Fixture(Type type) =>
        _fixtures.TryGetValue(type, out var made) ? made : _fixtures[type] = Activator.CreateInstance(type)!;

    internal sealed record Case(string Name, Action Run);

    private sealed class LoadContext : AssemblyLoadContext
    {
        private static AssemblyDependencyResolver? _shared;
        private readonly AssemblyDependencyResolver _resolver;

        public LoadContext(string testAssembly)
            : base(isCollectible: true)
        {
            _resolver = new AssemblyDependencyResolver(testAssembly);
            if (Interlocked.CompareExchange(ref _shared, _resolver, null) is null)
            {
                Default.Resolving += (context, name) =>
                    _shared.ResolveAssemblyToPath(name) is { } path ? context.LoadFromAssemblyPath(path) : null;
            }
        }

        protected override Assembly? Load(AssemblyName assemblyName) =>
            assemblyName.Name is "SecureChat.Signal" && _resolver.ResolveAssemblyToPath(assemblyName) is { } path
                ? LoadFromAssemblyPath(path)
                : null;

        protected override IntPtr LoadUnmanagedDll(string unmanagedDllName) =>
            _resolver.ResolveUnmanagedDllToPath(unmanagedDllName) is { } path ? LoadUnmanagedDllFromPath(path) : IntPtr.Zero;
    }
}
