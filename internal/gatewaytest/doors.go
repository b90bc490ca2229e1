package gatewaytest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/service"
)

// Door is a way to call the gateway over a connection with TLS.
type Door struct {
	Name string
	// Options choose the protocol of a door of Connect's.
	Options []connecthttp.Option
	// ContentType is that of a POST; reads are GETs where Get is set.
	ContentType string
	Get         bool
	// Fast is the door of package grpcdoor, called with grpc-go's client.
	Fast bool
	// REST is the upstream's own protocol.
	REST bool
}

// Doors are all of them.
func Doors() []Door {
	return []Door{
		{Name: "gRPC", Options: []connecthttp.Option{connecthttp.WithGRPC()}, ContentType: "application/grpc"},
		{Name: "gRPC-Web", Options: []connecthttp.Option{connecthttp.WithGRPCWeb()}, ContentType: "application/grpc-web"},
		{Name: "Connect protobuf", ContentType: "application/proto"},
		{Name: "Connect JSON", Options: []connecthttp.Option{connecthttp.WithProtoJSON()}, ContentType: "application/json"},
		{Name: "Connect GET protobuf", Options: []connecthttp.Option{connecthttp.WithHTTPGet()}, ContentType: "application/proto", Get: true},
		{Name: "Connect GET JSON", Options: []connecthttp.Option{connecthttp.WithHTTPGet(), connecthttp.WithProtoJSON()}, ContentType: "application/json", Get: true},
		{Name: "gRPC, fast", Fast: true},
		{Name: "REST", Get: true, REST: true},
	}
}

// Web is an open HTTP door.
type Web struct {
	URL    string
	Client *http.Client

	tls  *tls.Config
	root *x509.Certificate
}

// HTTPS is the HTTP door with TLS and HTTP/2.
func (g *Gateway) HTTPS() *Web { return g.https() }

// HTTP is the HTTP door without TLS, for HTTP/1.1 and HTTP/2. Its client speaks
// HTTP/1.1.
func (g *Gateway) HTTP() *Web { return g.http() }

// Handler is the HTTP door without a network.
func (g *Gateway) Handler() http.Handler { return service.NewHTTPHandler(g.Server, g.Catalog) }

// InProcess is the door for callers in the same process.
func (g *Gateway) InProcess() connect.Transport { return service.InProcess(g.Server) }

// FastGRPC is the door of package grpcdoor, without TLS.
func (g *Gateway) FastGRPC() GRPCClient { return g.fast() }

// REST is the REST door.
func (g *Gateway) REST() connect.Transport {
	return &restTransport{catalog: g.Catalog, web: g.HTTPS(), answered: func(answer Answer) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.lastREST = answer
	}}
}

// Transport is the way through one of [Doors].
func (g *Gateway) Transport(d Door) connect.Transport {
	switch {
	case d.Fast:
		return g.fasts()
	case d.REST:
		return g.REST()
	default:
		return connecthttp.NewTransport(g.HTTPS().Client, g.HTTPS().URL, d.Options...)
	}
}

// Client calls in process as a caller; "" has no token.
func (g *Gateway) Client(caller string) *connect.Client { return As(caller, g.InProcess()) }

// LastRequest is the last request at the HTTP door with TLS.
func (g *Gateway) LastRequest() *http.Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lastRequest
}

// LastREST is the last answer of the REST door.
func (g *Gateway) LastREST() Answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lastREST
}

// PlainDoors are doors without TLS, and the one in process, by name.
func (g *Gateway) PlainDoors() map[string]connect.Transport {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	http2 := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	g.tb.Cleanup(http2.CloseIdleConnections)
	web := g.HTTP()
	return map[string]connect.Transport{
		"in process":            g.InProcess(),
		"gRPC, fast":            g.FastGRPC(),
		"gRPC":                  connecthttp.NewTransport(http2, web.URL, connecthttp.WithGRPC()),
		"gRPC-Web":              connecthttp.NewTransport(web.Client, web.URL, connecthttp.WithGRPCWeb()),
		"Connect":               connecthttp.NewTransport(web.Client, web.URL),
		"Connect JSON":          connecthttp.NewTransport(web.Client, web.URL, connecthttp.WithProtoJSON()),
		"Connect JSON, HTTP/2":  connecthttp.NewTransport(http2, web.URL, connecthttp.WithProtoJSON()),
		"Connect GET over HTTP": connecthttp.NewTransport(web.Client, web.URL, connecthttp.WithHTTPGet()),
	}
}

func (g *Gateway) openHTTPS() *Web {
	inner := g.Handler()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.lastRequest = r
		g.mu.Unlock()
		inner.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	g.tb.Cleanup(server.Close)
	client := server.Client()
	g.tb.Cleanup(client.CloseIdleConnections)
	return &Web{URL: server.URL, Client: client, tls: &tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}, root: server.Certificate()}
}

func (g *Gateway) openHTTP() *Web {
	server := httptest.NewUnstartedServer(g.Handler())
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	g.tb.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{}}
	g.tb.Cleanup(client.CloseIdleConnections)
	return &Web{URL: server.URL, Client: client}
}

func (g *Gateway) openFast() GRPCClient { return FastGRPC(g.tb, g.Server, nil, nil) }

func (g *Gateway) openFastTLS() GRPCClient {
	web := g.HTTPS()
	roots := x509.NewCertPool()
	roots.AddCert(web.root)
	return FastGRPC(g.tb, g.Server, web.tls, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
}

// As is a client of a door that calls with the token of a caller; "" has no token.
func As(caller string, door connect.Transport) *connect.Client {
	return connect.NewClient(door, func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			info, ok := connect.CallInfoForClientContext(ctx)
			if !ok {
				return nil, fmt.Errorf("%s: no call info", spec.Procedure)
			}
			if caller != "" {
				info.RequestHeader().Set("Authorization", "Bearer "+admissiontest.TokenOf(caller))
			}
			return next(ctx, spec)
		}
	})
}
