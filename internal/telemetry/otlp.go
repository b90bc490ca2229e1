package telemetry

import (
	"context"
	"crypto/tls"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc/credentials"
)

const (
	// exportTimeout bounds an export with its retries.
	exportTimeout = 15 * time.Second
	// attemptTimeout bounds one try.
	attemptTimeout = 5 * time.Second

	firstPause   = 500 * time.Millisecond
	longestPause = 5 * time.Second
)

// spanExporter sends spans over the protocol of the endpoint.
func (o *Options) spanExporter(ctx context.Context) (trace.SpanExporter, error) {
	target, overHTTP, err := o.target()
	if err != nil {
		return nil, err
	}
	if overHTTP {
		return otlptracehttp.New(ctx,
			otlptracehttp.WithEndpointURL(target.JoinPath("v1", "traces").String()), otlptracehttp.WithHeaders(o.Headers),
			otlptracehttp.WithCompression(otlptracehttp.GzipCompression), otlptracehttp.WithTimeout(attemptTimeout),
			otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: firstPause, MaxInterval: longestPause, MaxElapsedTime: exportTimeout}))
	}
	secure := otlptracegrpc.WithInsecure()
	if !o.Insecure {
		secure = otlptracegrpc.WithTLSCredentials(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	return otlptracegrpc.New(ctx, secure,
		otlptracegrpc.WithEndpoint(o.Endpoint), otlptracegrpc.WithHeaders(o.Headers),
		otlptracegrpc.WithCompressor("gzip"), otlptracegrpc.WithTimeout(exportTimeout),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: firstPause, MaxInterval: longestPause, MaxElapsedTime: exportTimeout}))
}

// metricExporter sends metrics over the protocol of the endpoint.
func (o *Options) metricExporter(ctx context.Context) (metric.Exporter, error) {
	target, overHTTP, err := o.target()
	if err != nil {
		return nil, err
	}
	if overHTTP {
		return otlpmetrichttp.New(ctx,
			otlpmetrichttp.WithEndpointURL(target.JoinPath("v1", "metrics").String()), otlpmetrichttp.WithHeaders(o.Headers),
			otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression), otlpmetrichttp.WithTimeout(attemptTimeout),
			otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: true, InitialInterval: firstPause, MaxInterval: longestPause, MaxElapsedTime: exportTimeout}))
	}
	secure := otlpmetricgrpc.WithInsecure()
	if !o.Insecure {
		secure = otlpmetricgrpc.WithTLSCredentials(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	return otlpmetricgrpc.New(ctx, secure,
		otlpmetricgrpc.WithEndpoint(o.Endpoint), otlpmetricgrpc.WithHeaders(o.Headers),
		otlpmetricgrpc.WithCompressor("gzip"), otlpmetricgrpc.WithTimeout(exportTimeout),
		otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{Enabled: true, InitialInterval: firstPause, MaxInterval: longestPause, MaxElapsedTime: exportTimeout}))
}
