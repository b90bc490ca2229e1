// Package telemetry sends traces and metrics over OTLP, and counts for
// Prometheus what the upstream's client and sender do. It has no global state:
// what it makes is passed to who needs it.
package telemetry
