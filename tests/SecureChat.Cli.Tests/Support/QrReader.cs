using ZXing;
using ZXing.Common;
using ZXing.QrCode;

namespace SecureChat.Cli.Tests.Support;

/// <summary>A camera in front of a dark terminal: reads the QR picture that is drawn there in half blocks.</summary>
internal static class QrReader
{
    private const int PixelsPerModule = 4;
    private const string Blocks = "█▀▄ ";

    public static string Text(string screen) => Read(screen).Text;

    /// <summary>What it holds, where that is no text.</summary>
    public static byte[] Bytes(string screen) =>
        [.. ((IList<byte[]>)Read(screen).ResultMetadata[ResultMetadataType.BYTE_SEGMENTS]).SelectMany(segment => segment)];

    private static Result Read(string screen)
    {
        var lines = screen.Split('\n').Where(line => line.StartsWith('█') && line.All(Blocks.Contains)).ToList();
        var (width, height) = (lines[0].Length * PixelsPerModule, lines.Count * 2 * PixelsPerModule);
        var pixels = new byte[width * height];
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var row = y / PixelsPerModule;
                pixels[(y * width) + x] = IsLight(lines[row / 2][x / PixelsPerModule], isUpper: row % 2 == 0) ? byte.MaxValue : byte.MinValue;
            }
        }

        var light = new RGBLuminanceSource(pixels, width, height, RGBLuminanceSource.BitmapFormat.Gray8);
        return new QRCodeReader().decode(new BinaryBitmap(new HybridBinarizer(light))) ?? throw new InvalidOperationException("No QR picture:\n" + screen);
    }

    private static bool IsLight(char block, bool isUpper) => block == '█' || block == (isUpper ? '▀' : '▄');
}
