package service

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
)

const (
	// DefaultLongestCall bounds a call whose caller sets no deadline.
	DefaultLongestCall = 2 * time.Minute
	// maxRequestBytes bounds a request after decompression. The largest that
	// the upstream takes is a certificate.
	maxRequestBytes = 1 << 20
	// compressMinBytes is where compressing an answer begins to pay.
	compressMinBytes = 1 << 10
)

// Options configure [NewServer]. Upstream is required.
type Options struct {
	// Upstream answers what the gateway cannot.
	Upstream Upstream
	// Logger gets a line a call; the default discards it.
	Logger *slog.Logger
	// LongestCall bounds every call; default [DefaultLongestCall].
	LongestCall time.Duration
}

// NewServer registers every method of the catalog behind the interceptors. The
// doors are transports that call it.
func NewServer(catalog *Catalog, options Options) (*connect.Server, error) {
	if options.Upstream == nil {
		return nil, errors.New("service: Options.Upstream is required")
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.LongestCall <= 0 {
		options.LongestCall = DefaultLongestCall
	}
	validator, err := protovalidate.New()
	if err != nil {
		return nil, err
	}
	r := &road{upstream: options.Upstream, validator: requestValidator{validator}}
	server := connect.NewServer(interceptors(options.Logger, options.LongestCall)...)
	for _, m := range catalog.methods {
		server.Register(connect.Method{Spec: m.spec(), Handler: r.handler(m)})
	}
	server.SetUnknownHandler(func(context.Context, connect.Spec, connect.ServerStream) error {
		return fault{code: connect.CodeUnimplemented, reason: ReasonUnknownMethod, message: "no such method"}.err()
	})
	return server, nil
}

// NewHTTPHandler is the door for Connect, gRPC and gRPC-Web. gRPC needs HTTP/2,
// so the http.Server has to speak it.
func NewHTTPHandler(server *connect.Server) http.Handler {
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server,
		connecthttp.WithCodecs(codecs()...),
		connecthttp.WithReadMaxBytes(maxRequestBytes),
		connecthttp.WithCompressMinBytes(compressMinBytes),
	)
	return mux
}
