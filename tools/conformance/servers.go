package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/admin-gateway/admin-gateway/internal/doortest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// drainTimeout is how long calls in flight may take at the end.
const drainTimeout = 5 * time.Second

// starter prepares a server; the function that it returns serves a listener until ctx
// ends.
type starter func(ctx context.Context, s schema, w wanted) (func(ctx context.Context, l net.Listener) error, error)

// starters are the servers that are compared with each other.
var starters = map[string]starter{
	"bare": startBare,
	"port": startPort,
	"fast": startFast,
}

// startBare is the library on net/http, without the gateway.
func startBare(_ context.Context, s schema, w wanted) (func(context.Context, net.Listener) error, error) {
	server := connect.NewServer(withClientDeadline)
	server.Register(s.methods()...)
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server, connecthttp.WithReadMaxBytes(w.maxRequestBytes))
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	bare := &http.Server{Handler: mux, Protocols: protocols, ReadHeaderTimeout: drainTimeout}
	if w.secure {
		var err error
		if bare.TLSConfig, err = w.plainTLS(); err != nil {
			return nil, err
		}
	}
	return serveHTTP(bare), nil
}

// startPort is the one-port door, behind it the interceptors that need neither a
// catalog nor callers; the REST door stands in front of it, as it does in the gateway.
func startPort(ctx context.Context, s schema, w wanted) (func(context.Context, net.Listener) error, error) {
	methods, err := catalog.New(catalog.Files(), new(adminjson.Drift))
	if err != nil {
		return nil, err
	}
	secure, err := w.ownTLS(ctx)
	if err != nil {
		return nil, err
	}
	var options []service.HTTPOption
	if w.maxRequestBytes > 0 {
		options = append(options, service.WithMaxRequestBytes(w.maxRequestBytes))
	}
	return httpdoor.New(service.NewHTTPHandler(s.server(), methods, options...), httpdoor.Options{TLS: secure, DrainTimeout: drainTimeout}).Serve, nil
}

// startFast is the gRPC door, with the same interceptors.
func startFast(ctx context.Context, s schema, w wanted) (func(context.Context, net.Listener) error, error) {
	secure, err := w.ownTLS(ctx)
	if err != nil {
		return nil, err
	}
	return grpcdoor.New(s.server(), grpcdoor.Options{
		Codec: service.BinaryCodec(), TLS: secure, MaxRequestBytes: w.maxRequestBytes, DrainTimeout: drainTimeout,
	}).Serve, nil
}

// server has the suite's service behind the gateway's interceptors.
func (s schema) server() *connect.Server {
	logger := slog.New(slog.DiscardHandler)
	server := connect.NewServer(append([]connect.ServerInterceptor{withClientDeadline}, doortest.Interceptors(logger, service.DefaultLongestCall)...)...)
	server.Register(s.methods()...)
	return server
}

func serveHTTP(server *http.Server) func(context.Context, net.Listener) error {
	return func(ctx context.Context, l net.Listener) error {
		ended := make(chan error, 1)
		go func() {
			if server.TLSConfig != nil {
				ended <- server.ServeTLS(l, "", "")
			} else {
				ended <- server.Serve(l)
			}
		}()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
		}
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		err := server.Shutdown(drain)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}
}

// plainTLS is the configuration for crypto/tls alone.
func (w wanted) plainTLS() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(w.cert, w.key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if len(w.client) > 0 {
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(w.client) {
			return nil, errors.New("the client's certificate is not PEM")
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// ownTLS loads the certificates as the gateway does, from files; nil without TLS.
func (w wanted) ownTLS(ctx context.Context) (*tls.Config, error) {
	if !w.secure {
		return nil, nil //nolint:nilnil // No TLS is no error.
	}
	folder, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // The last good one stays in use.
	files := authn.TLSFiles{CertFile: filepath.Join(folder, "cert"), KeyFile: filepath.Join(folder, "key")}
	contents := map[string][]byte{files.CertFile: w.cert, files.KeyFile: w.key}
	if len(w.client) > 0 {
		files.ClientCAFile = filepath.Join(folder, "client")
		contents[files.ClientCAFile] = w.client
	}
	for path, content := range contents {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, fmt.Errorf("certificates: %w", err)
		}
	}
	return authn.NewTLS(ctx, files, nil)
}
