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
	"github.com/admin-gateway/admin-gateway/internal/secretref"
	"github.com/admin-gateway/admin-gateway/internal/telemetry"
)

// telemetryFlush bounds the time for the last spans and metrics.
const telemetryFlush = 5 * time.Second

// maxHeaderValue bounds the value of a header in bytes.
const maxHeaderValue = 8 << 10

// headerValue reads the value of a header. Unlike a key it may contain a space, as
// in "Bearer …". The error does not quote it.
func headerValue(h config.Header) (string, error) {
	value := os.Getenv(h.Env)
	if h.File != "" {
		content, err := os.ReadFile(h.File)
		if err != nil {
			return "", secretref.Path(h.File).Error(err)
		}
		value = string(content)
	}
	value = strings.TrimRight(value, "\r\n")
	if value == "" || len(value) > maxHeaderValue || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", errors.New("the value is missing, too long, or contains characters that a header cannot have")
	}
	return value, nil
}

// telemetryExport sends spans and metrics to a collector, if the config names one.
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
			return nil, config.AtKey("telemetry.otlp_headers", fmt.Errorf("%s: %w", h.Name, err))
		}
		headers[h.Name] = value
	}
	var err error
	export.Telemetry, err = telemetry.Open(ctx, telemetry.Options{
		Endpoint: c.OTLPEndpoint, Insecure: c.OTLPInsecure, Headers: headers,
		SampleRatio: c.SampleRatio, Service: c.ServiceName, Version: version, Logger: logger,
	})
	if err != nil {
		return nil, config.AtKey("telemetry", err)
	}
	opened.add(export)
	return export, nil
}

// Close flushes spans and metrics. Losing them is a warning and not an error.
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
