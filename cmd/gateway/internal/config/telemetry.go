package config

// Telemetry says where traces and metrics go besides /metrics.
type Telemetry struct {
	// OTLPEndpoint is a collector: host:port for gRPC, a URL for HTTP; "" is none.
	OTLPEndpoint string `yaml:"otlp_endpoint"`
	// OTLPInsecure does without TLS.
	OTLPInsecure bool `yaml:"otlp_insecure"`
	// OTLPHeaders go with every export.
	OTLPHeaders []Header `yaml:"otlp_headers"`
	// SampleRatio is the share of the traces that begin here which is kept.
	SampleRatio float64 `yaml:"sample_ratio"`
	ServiceName string  `yaml:"service_name"`
	// SendTraceparent tells the upstream the ids of trace and span.
	SendTraceparent bool `yaml:"send_traceparent"`
}

// Header is a header whose value is a secret.
type Header struct {
	Name string `yaml:"name"`
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// check reports keys that make no sense together. The endpoint is for
// [telemetry.Open] to judge.
func (c Telemetry) check(fault func(key, format string, args ...any)) {
	if c.SampleRatio < 0 || c.SampleRatio > 1 {
		fault("telemetry.sample_ratio", "a part, from 0 to 1")
	}
	for _, h := range c.OTLPHeaders {
		if h.Name == "" || (h.Env == "") == (h.File == "") {
			fault("telemetry.otlp_headers", "each has a name, and either env or file")
			break
		}
	}
	if c.OTLPEndpoint == "" && (c.OTLPInsecure || c.SendTraceparent || len(c.OTLPHeaders) > 0) {
		fault("telemetry.otlp_endpoint", "is missing, and the other keys of telemetry go with it")
	}
}
