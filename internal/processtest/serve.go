package processtest

import (
	"context"
	"net"
	"net/http"
)

// Serve serves a handler on a port of its own, until the server is closed.
func Serve(ctx context.Context, handler http.Handler) (*http.Server, string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: Patience}
	go func() { _ = server.Serve(listener) }() // Ends with Close.
	return server, "http://" + listener.Addr().String(), nil
}
