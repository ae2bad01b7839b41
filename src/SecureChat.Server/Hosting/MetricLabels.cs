namespace SecureChat.Server.Hosting;

/// <summary>What the labels of this server's own metrics are called. None of them ever holds an identifier.</summary>
/// <remarks>No label is spelled elsewhere: <c>/.well-known/data-held.json</c> is made from this table and from <see cref="FrameworkLabels"/>.</remarks>
internal static class MetricLabels
{
    public const string Action = "action";
    public const string Detector = "detector";
    public const string Grade = "grade";
    public const string Result = "result";
    public const string Service = "service";
    public const string Sweep = "sweep";
}

/// <summary>Labels of the meters that come with ASP.NET Core, .NET and the exporter, as they are called in <c>/metrics</c>.</summary>
internal static class FrameworkLabels
{
    public const string AspnetcoreRequestIsUnhandled = "aspnetcore_request_is_unhandled";
    public const string CpuMode = "cpu_mode";
    public const string ErrorType = "error_type";
    public const string GcHeapGeneration = "gc_heap_generation";
    public const string HttpRequestMethod = "http_request_method";
    public const string HttpResponseStatusCode = "http_response_status_code";
    public const string HttpRoute = "http_route";
    public const string Le = "le";
    public const string NetworkProtocolName = "network_protocol_name";
    public const string NetworkProtocolVersion = "network_protocol_version";
    public const string OtelScopeName = "otel_scope_name";
    public const string ServiceInstanceId = "service_instance_id";
    public const string ServiceName = "service_name";
    public const string ServiceVersion = "service_version";
    public const string TelemetrySdkLanguage = "telemetry_sdk_language";
    public const string TelemetrySdkName = "telemetry_sdk_name";
    public const string TelemetrySdkVersion = "telemetry_sdk_version";
    public const string UrlScheme = "url_scheme";
}
