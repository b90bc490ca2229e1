// Package promql checks the queries of the dashboard and of the alerts against
// Prometheus' own grammar and the table of metrics in docs/operations.md. It is a
// module of its own for the parser. A test of cmd/gateway checks the table.
package promql
