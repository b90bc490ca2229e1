// Package httpdoor serves an http.Handler on a port: HTTP/1.1 and HTTP/2, with or
// without TLS, within limits of size, number, time and age, and with an end in
// which calls finish. It imports nothing of the pipeline.
package httpdoor
