using Mono.Cecil;
using Mono.Cecil.Cil;

namespace SecureChat.Mutation;

/// <summary>Makes what Stryker compiled usable: undoes what it breaks, and notes at no cost which mutants were reached.</summary>
internal static class MutatedLibrary
{
    public const string Control = "MutantControl";
    public const string Reached = "Reached";

    /// <summary>Prepares the library in place; a second time does nothing.</summary>
    /// <returns>How many defaults of out parameters were taken out.</returns>
    public static int Prepare(string path)
    {
        using var module = ModuleDefinition.ReadModule(new MemoryStream(File.ReadAllBytes(path)));
        var control = module.Types.Single(type => type.Name == Control);
        if (control.Fields.Any(field => field.Name == Reached))
        {
            return 0;
        }

        NoteWhatIsReached(control);
        var taken = module.GetTypes().SelectMany(type => type.Methods).Where(method => method.HasBody).Sum(TakeOutDefaults);
        module.Write(path);
        return taken;
    }

    // Stryker's own notes are a locked list that is searched each time, in the innermost loops of the field arithmetic.
    private static void NoteWhatIsReached(TypeDefinition control)
    {
        var reached = new FieldDefinition(
            Reached, FieldAttributes.Public | FieldAttributes.Static, new ArrayType(control.Module.TypeSystem.Byte));
        control.Fields.Add(reached);
        var active = control.Fields.Single(field => field.Name == "ActiveMutant");
        var body = new MethodBody(control.Methods.Single(method => method.Name == "IsActive"));
        var il = body.GetILProcessor();
        il.Emit(OpCodes.Ldsfld, reached);
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldc_I4_1);
        il.Emit(OpCodes.Stelem_I1);
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldsfld, active);
        il.Emit(OpCodes.Ceq);
        il.Emit(OpCodes.Ret);
        body.Method.Body = body;
    }

    // Stryker gives every out parameter its default at the start of a method. Where a method is called with the same variable
    // as input and output, as the field arithmetic is, that erases the input.
    private static int TakeOutDefaults(MethodDefinition method)
    {
        var il = method.Body.GetILProcessor();
        var instructions = method.Body.Instructions;
        var taken = 0;
        while (instructions.SkipWhile(one => one.OpCode == OpCodes.Nop).Take(2).ToList() is [var load, { } second]
            && second.OpCode == OpCodes.Initobj && IsOutput(method, load))
        {
            // Turned into nothing and left in place: something may jump to them.
            foreach (var one in (Instruction[])[load, second])
            {
                one.OpCode = OpCodes.Nop;
                one.Operand = null;
            }

            taken++;
        }

        return taken;
    }

    private static bool IsOutput(MethodDefinition method, Instruction load)
    {
        var first = method.HasThis ? 1 : 0;
        var index = load.OpCode.Code switch
        {
            Code.Ldarg_0 => 0,
            Code.Ldarg_1 => 1,
            Code.Ldarg_2 => 2,
            Code.Ldarg_3 => 3,
            Code.Ldarg_S or Code.Ldarg => ((ParameterDefinition)load.Operand).Index + first,
            _ => -1,
        };
        return index >= first && method.Parameters[index - first].IsOut;
    }
}
