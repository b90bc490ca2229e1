package build

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/telemetry"
)

// telemetryFlush is how long the last spans and metrics may take at the end.
const telemetryFlush = 5 * time.Second

// maxHeaderValue bounds the value of a header in bytes.
const maxHeaderValue = 8 << 10

// headerValue reads the header's value. Unlike a key it may have a space, as in
// "Bearer …". The error says nothing of it.
func headerValue(h config.Header) (string, error) {
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

// telemetryExport sends spans and metrics to a collector; nothing where the
// config names none.
type telemetryExport struct {
	*telemetry.Telemetry // nil sends nothing

	logger *slog.Logger
}

func openTelemetry(ctx context.Context, opened *closers, c config.Telemetry, version string, logger *slog.Logger) (*telemetryExport, error) {
	export := &telemetryExport{logger: logger}
	if c.OTLPEndpoint == "" {
		return export, nil
	}
	headers := map[string]string{}
	for _, h := range c.OTLPHeaders {
		value, err := headerValue(h)
		if err != nil {
			return nil, fmt.Errorf("config key telemetry.otlp_headers: %s: %w", h.Name, err)
		}
		headers[h.Name] = value
	}
	var err error
	export.Telemetry, err = telemetry.Open(ctx, telemetry.Options{
		Endpoint: c.OTLPEndpoint, Insecure: c.OTLPInsecure, Headers: headers,
		SampleRatio: c.SampleRatio, Service: c.ServiceName, Version: version, Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("config key telemetry: %w", err)
	}
	opened.add(export)
	return export, nil
}

// Close sends what is left. Traces that are lost are no failed run.
func (e *telemetryExport) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), telemetryFlush)
	defer cancel()
	if err := e.Telemetry.Close(ctx); err != nil {
		e.logger.WarnContext(ctx, "the last spans or metrics were not sent", "error", err.Error())
	}
}

func (e *telemetryExport) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		newCounter("gateway_telemetry_unsent_spans_total", "Batches of spans that could not be sent.", e.UnsentSpans),
		newCounter("gateway_telemetry_unsent_metrics_total", "Exports of metrics that could not be sent.", e.UnsentMetrics),
	}
}
