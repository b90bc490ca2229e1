package restdoor

import (
	"context"
	"errors"
	"net/http"
	"path"
	"strings"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

const (
	// prefix begins the upstream's paths.
	prefix = "/v1"
	// unrouted stands for every path that is not the API's: no procedure has this
	// name, and an unknown path must not become a label.
	unrouted = prefix
	// compressMinBytes is where compressing an answer begins to pay.
	compressMinBytes = 1 << 10
)

// Door serves the Admin API's own paths, for the vendor's SDKs and whatever else
// speaks to it. It answers with the upstream's body, byte for byte.
type Door struct {
	server  *connect.Server
	catalog *catalog.Catalog
	gzip    connect.Compressor
	most    int // bytes of a body

	json, vary []string // headers
}

// New makes a door onto server, which serves the methods of the catalog. A body may
// have maxRequestBytes.
func New(server *connect.Server, methods *catalog.Catalog, maxRequestBytes int) *Door {
	return &Door{
		server: server, catalog: methods, gzip: httpdoor.Gzip(), most: maxRequestBytes,
		json: []string{"application/json"}, vary: []string{"Accept-Encoding"},
	}
}

// Takes tells whether a request belongs here: one below the prefix, and any that a
// mux would clean and redirect. A redirect would send a client, its credential and
// perhaps its write to a path that it did not request.
func (d *Door) Takes(r *http.Request) bool {
	asked := r.URL.EscapedPath()
	return asked == prefix || strings.HasPrefix(asked, prefix+"/") || asked != path.Clean(asked)
}

// Serve makes one call of the server, in a context that has the connection of the
// request (httpdoor.WithConnection). A path that matches no declared one takes
// the pipeline as well, as a method that does not exist: it is authenticated and
// recorded like any other, and ends before anything of it is decoded.
func (d *Door) Serve(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		r = httpdoor.Request(ctx, r)
	}
	s := &stream{writer: w, request: r, most: d.most}
	info := &connect.CallInfo{PeerAddr: r.RemoteAddr, Protocol: door.ProtocolREST, Codec: "json"}
	procedure := unrouted
	if below, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix); ok {
		s.method, s.match = d.catalog.Match(r.Method, below)
	}
	if s.method != nil {
		procedure, info.Spec = s.method.Procedure, s.method.Spec()
	}
	for name, values := range r.Header {
		info.RequestHeader().SetValues(name, values)
	}
	err := d.server.Call(ctx, procedure, info, s)
	for name, values := range info.ResponseHeader().All() {
		w.Header()[name] = values
	}
	if err == nil && s.answer == nil {
		err = errors.New("a call without an answer")
	}
	if err != nil {
		d.refuse(w, r, s, err)
		return
	}
	d.write(w, r, http.StatusOK, s.answer)
}
