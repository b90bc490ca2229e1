// Package httpdoor serves an http.Handler on a port: HTTP/1.1 and HTTP/2, with or
// without TLS, within limits of size, number, time and age, and with an end in
// which calls finish. It knows the wire and nothing of what is behind it.
package httpdoor
