package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

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

// openTelemetry returns nil where nothing is to be sent.
func openTelemetry(ctx context.Context, c config.Telemetry, logger *slog.Logger) (*telemetry.Telemetry, error) {
	if c.OTLPEndpoint == "" {
		return nil, nil //nolint:nilnil // No telemetry is no error.
	}
	headers := map[string]string{}
	for _, h := range c.OTLPHeaders {
		value, err := headerValue(h)
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
