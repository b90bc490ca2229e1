package config

// Telemetry configures the export of traces and metrics over OTLP.
type Telemetry struct {
	// OTLPEndpoint is the collector: host:port for gRPC, a URL for HTTP. An empty
	// endpoint disables the export.
	OTLPEndpoint string `yaml:"otlp_endpoint"`
	// OTLPInsecure disables TLS.
	OTLPInsecure bool `yaml:"otlp_insecure"`
	// OTLPHeaders are sent with every export.
	OTLPHeaders []Header `yaml:"otlp_headers"`
	// SampleRatio is the fraction of new traces that are sampled.
	SampleRatio float64 `yaml:"sample_ratio"`
	ServiceName string  `yaml:"service_name"`
	// SendTraceparent sends the ids of trace and span to the upstream.
	SendTraceparent bool `yaml:"send_traceparent"`
	// Stages measures the stages of calls, and labels profiles by them.
	Stages bool `yaml:"stages"`
}

// Header is a header whose value is a secret.
type Header struct {
	Name string `yaml:"name"`
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// check reports keys that contradict each other. telemetry.Open judges the
// endpoint.
func (c Telemetry) check(fault func(key, format string, args ...any)) {
	if c.SampleRatio < 0 || c.SampleRatio > 1 {
		fault("telemetry.sample_ratio", "must be from 0 to 1")
	}
	for _, h := range c.OTLPHeaders {
		if h.Name == "" || (h.Env == "") == (h.File == "") {
			fault("telemetry.otlp_headers", "each header needs a name, and either env or file")
			break
		}
	}
	if c.OTLPEndpoint == "" && (c.OTLPInsecure || c.SendTraceparent || len(c.OTLPHeaders) > 0) {
		fault("telemetry.otlp_endpoint", "is missing; the other keys of telemetry have no effect without it")
	}
}
