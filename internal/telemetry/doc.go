// Package telemetry sends traces and metrics over OTLP, and counts for
// Prometheus what the upstream's client and sender do. It has no global state:
// its values are passed to their users.
package telemetry
