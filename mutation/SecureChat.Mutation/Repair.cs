using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace SecureChat.Mutation;

/// <summary>
/// Stryker gives every out parameter its default at the start of a method. Where a method is called with the same variable
/// as input and output, as the field arithmetic is, that erases the input. This takes it out again.
/// </summary>
internal static class Repair
{
    private const byte NoOperation = 0x00;
    private const byte LoadArgument0 = 0x02;
    private const byte LoadArgumentShort = 0x0E;
    private const byte InitializePrefix = 0xFE;
    private const byte Initialize = 0x15;

    /// <summary>How many were taken out.</summary>
    public static int TakeOutDefaults(string library)
    {
        var image = File.ReadAllBytes(library);
        var found = new List<(int At, int Size)>();
        using (var file = new PEReader(new MemoryStream(image)))
        {
            var metadata = file.GetMetadataReader();
            foreach (var handle in metadata.MethodDefinitions)
            {
                var method = metadata.GetMethodDefinition(handle);
                var outputs = method.GetParameters().Select(metadata.GetParameter)
                    .Where(parameter => (parameter.Attributes & System.Reflection.ParameterAttributes.Out) != 0)
                    .Select(parameter => parameter.SequenceNumber - ((method.Attributes & System.Reflection.MethodAttributes.Static) != 0 ? 1 : 0))
                    .ToHashSet();
                if (outputs.Count > 0 && method.RelativeVirtualAddress != 0)
                {
                    var section = file.PEHeaders.SectionHeaders[file.PEHeaders.GetContainingSectionIndex(method.RelativeVirtualAddress)];
                    var at = method.RelativeVirtualAddress - section.VirtualAddress + section.PointerToRawData;
                    found.AddRange(AtStart(image, at + ((image[at] & 3) == 2 ? 1 : 12), outputs));
                }
            }
        }

        foreach (var (at, size) in found)
        {
            image.AsSpan(at, size).Clear();
        }

        File.WriteAllBytes(library, image);
        return found.Count;
    }

    private static IEnumerable<(int At, int Size)> AtStart(byte[] image, int at, HashSet<int> outputs)
    {
        while (image[at] == NoOperation)
        {
            at++;
        }

        while (true)
        {
            var (argument, size) = image[at] == LoadArgumentShort ? (image[at + 1], 2) : (image[at] - LoadArgument0, 1);
            if (!outputs.Contains(argument) || image[at + size] != InitializePrefix || image[at + size + 1] != Initialize)
            {
                yield break;
            }

            yield return (at, size + 6);
            at += size + 6;
        }
    }
}
