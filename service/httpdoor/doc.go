// Package httpdoor serves an http.Handler on a port: HTTP/1.1 and HTTP/2, with or
// without TLS, within limits of size, number, time and age, and with an end in
// which calls finish. It imports nothing of the pipeline.
//
// It imports package door, for the connection that it offers to interceptors, and
// internal/connguard. Package service composes its handler, and the build of the gateway
// serves it.
package httpdoor
