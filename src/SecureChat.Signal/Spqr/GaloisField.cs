namespace SecureChat.Signal.Spqr;

/// <summary>
/// The field GF(2^16) with the polynomial x^16 + x^12 + x^3 + x + 1: the coefficients of the erasure code.
/// docs/protocol/spqr.md#chunks.
/// </summary>
/// <remarks>Works by table, which is safe because only public values pass through it: everything coded is sent in the open.</remarks>
internal static class GaloisField
{
    /// <summary>The number of powers of the generator: every element except zero.</summary>
    private const int Order = 0xFFFF;

    private const int Polynomial = 0x1100B;

    private static readonly ushort[] Powers = new ushort[Order];
    private static readonly ushort[] Logs = new ushort[Order + 1];

#pragma warning disable CA1810 // One loop fills both tables; two initialisers would run it twice.
    static GaloisField()
    {
        var element = 1;
        for (var power = 0; power < Order; power++)
        {
            Powers[power] = (ushort)element;
            Logs[element] = (ushort)power;
            element <<= 1;
            element ^= (element >> 16) * Polynomial;
        }
    }
#pragma warning restore CA1810

    /// <summary>The discrete logarithm of an element that is not zero.</summary>
    public static int Log(ushort element) => Logs[element];

    /// <summary>The sum of two logarithms: the logarithm of the product.</summary>
    public static int AddLogs(int a, int b)
    {
        var sum = a + b;
        return sum >= Order ? sum - Order : sum;
    }

    /// <summary>The difference of two logarithms: the logarithm of the quotient.</summary>
    public static int SubtractLogs(int a, int b)
    {
        var difference = a - b;
        return difference < 0 ? difference + Order : difference;
    }

    /// <summary>The product of an element and of the element whose logarithm is given.</summary>
    public static ushort MultiplyByLog(ushort element, int log) =>
        element == 0 ? (ushort)0 : Powers[AddLogs(Logs[element], log)];
}
