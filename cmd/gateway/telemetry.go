package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/telemetry"
)

// telemetryFlush is how long the last spans and metrics may take at the end.
const telemetryFlush = 5 * time.Second

// logConfig says what is logged.
type logConfig struct {
	Level logLevel `yaml:"level"`
}

// logLevel is a [slog.Level], written as one of four words.
type logLevel slog.Level

var errNoLevel = errors.New("no log level")

// Form says how a level is written.
func (logLevel) Form() string { return "debug, info, warn or error" }

// String is the level as it is written.
func (l logLevel) String() string { return strings.ToLower(slog.Level(l).String()) }

// UnmarshalText reads a level.
func (l *logLevel) UnmarshalText(text []byte) error {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(level.String(), string(text)) {
			*l = logLevel(level)
			return nil
		}
	}
	return errNoLevel
}

// variable can be changed while the gateway runs.
func (l logLevel) variable() *slog.LevelVar {
	v := new(slog.LevelVar)
	v.Set(slog.Level(l))
	return v
}

// telemetryConfig says where traces and metrics go besides /metrics.
type telemetryConfig struct {
	// OTLPEndpoint is a collector: host:port for gRPC, a URL for HTTP; "" is none.
	OTLPEndpoint string `yaml:"otlp_endpoint"`
	// OTLPInsecure does without TLS.
	OTLPInsecure bool `yaml:"otlp_insecure"`
	// OTLPHeaders go with every export.
	OTLPHeaders []headerConfig `yaml:"otlp_headers"`
	// SampleRatio is the share of the traces that begin here which is kept.
	SampleRatio float64 `yaml:"sample_ratio"`
	ServiceName string  `yaml:"service_name"`
	// SendTraceparent tells the upstream the ids of trace and span.
	SendTraceparent bool `yaml:"send_traceparent"`
}

// headerConfig is a header whose value is a secret.
type headerConfig struct {
	Name string `yaml:"name"`
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// maxHeaderValue bounds the value of a header in bytes.
const maxHeaderValue = 8 << 10

// value reads the header's value. Unlike a key it may have a space, as in
// "Bearer …". The error says nothing of it.
func (h headerConfig) value() (string, error) {
	value := os.Getenv(h.Env)
	if h.File != "" {
		content, err := os.ReadFile(h.File)
		if err != nil {
			return "", err
		}
		value = string(content)
	}
	value = strings.TrimRight(value, "\r\n")
	if value == "" || len(value) > maxHeaderValue || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", errors.New("the value is not there, too long, or has what a header cannot have")
	}
	return value, nil
}

// check reports keys that make no sense together. The endpoint is for
// [telemetry.Open] to judge.
func (c telemetryConfig) check(fault func(key, format string, args ...any)) {
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

// open returns nil where nothing is to be sent.
func (c telemetryConfig) open(ctx context.Context, logger *slog.Logger) (*telemetry.Telemetry, error) {
	if c.OTLPEndpoint == "" {
		return nil, nil //nolint:nilnil // No telemetry is no error.
	}
	headers := map[string]string{}
	for _, h := range c.OTLPHeaders {
		value, err := h.value()
		if err != nil {
			return nil, fmt.Errorf("config key telemetry.otlp_headers: %s: %w", h.Name, err)
		}
		headers[h.Name] = value
	}
	t, err := telemetry.Open(ctx, telemetry.Options{
		Endpoint: c.OTLPEndpoint, Insecure: c.OTLPInsecure, Headers: headers,
		SampleRatio: c.SampleRatio, Service: c.ServiceName, Version: version(), Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("config key telemetry: %w", err)
	}
	return t, nil
}

// closeTelemetry sends what is left. Traces that are lost are no failed run.
func closeTelemetry(ctx context.Context, t *telemetry.Telemetry, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), telemetryFlush)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		logger.WarnContext(ctx, "the last spans or metrics were not sent", "error", err.Error())
	}
}
