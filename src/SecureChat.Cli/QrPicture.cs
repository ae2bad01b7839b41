using QRCoder;

namespace SecureChat.Cli;

/// <summary>A QR picture in half blocks, two rows of it in a line of text.</summary>
internal static class QrPicture
{
    public static string Of(string text)
    {
        using var code = QRCodeGenerator.GenerateQrCode(text, QRCodeGenerator.ECCLevel.L);
        using var picture = new AsciiQRCode(code);
        return picture.GetGraphicSmall(drawQuietZones: true);
    }

    public static string Of(byte[] bytes)
    {
        using var code = QRCodeGenerator.GenerateQrCode(bytes, QRCodeGenerator.ECCLevel.L);
        using var picture = new AsciiQRCode(code);
        return picture.GetGraphicSmall(drawQuietZones: true);
    }
}
