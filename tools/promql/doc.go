// Package promql holds the queries of the dashboard and of the alerts against
// Prometheus' own grammar and the table of metrics in docs/operations.md. It is a
// module of its own for the parser. That the table is true is a test of
// cmd/gateway.
package promql
