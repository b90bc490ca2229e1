package service

import (
	"net/http"
	"time"
)

const (
	// MaxHeaderBytes bounds the headers of a request, on every door.
	MaxHeaderBytes = 64 << 10

	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
)

// NewHTTPServer serves handler over HTTP/1.1 and HTTP/2, which gRPC needs;
// without TLS the latter with prior knowledge. A client has 10 s for the headers
// of a request, which hold [MaxHeaderBytes], and 2 min without one. Nothing bounds
// how long an answer may take: streams are as long as their callers' deadlines.
func NewHTTPServer(handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes,
	}
}
