package service

import (
	"crypto/tls"
	"errors"
	"net/http"
	"path"
	"strings"

	"connectrpc.com/connect/v2"
)

const (
	// restPrefix is what the upstream's own paths begin with.
	restPrefix = "/v1"
	// restUnrouted stands for every path that is none of the API's: no procedure
	// is called so, and what a stranger asked for is not worth a label.
	restUnrouted = restPrefix
)

// restDoor serves the Admin API's own paths, for the vendor's SDKs and whatever
// else speaks to it. What it answers is what the upstream said, byte for byte.
type restDoor struct {
	server  *connect.Server
	catalog *Catalog
	gzip    connect.Compressor
	most    int // bytes of a body
}

func newRESTDoor(server *connect.Server, catalog *Catalog, most int) *restDoor {
	return &restDoor{server, catalog, newGzip(), most}
}

// takes tells whether a request belongs here: one below the prefix, and any
// that a mux would clean and redirect. A redirect would send a client, its
// credential and perhaps its write to a path that it did not ask for.
func (d *restDoor) takes(r *http.Request) bool {
	asked := r.URL.EscapedPath()
	return asked == restPrefix || strings.HasPrefix(asked, restPrefix+"/") || asked != path.Clean(asked)
}

// ServeHTTP makes one call of the server. What matches no declared path goes
// down the road as well, as a method that there is not: it is authenticated and
// recorded like any other, and ends before anything of it is decoded.
func (d *restDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	stream := &restStream{writer: w, request: r, most: d.most}
	info := &connect.CallInfo{PeerAddr: r.RemoteAddr, Protocol: "rest", Codec: "json", TransportInfo: restConnection{r.TLS}}
	procedure := restUnrouted
	if below, ok := strings.CutPrefix(r.URL.EscapedPath(), restPrefix); ok {
		stream.match, _ = d.catalog.router.Match(r.Method, below)
	}
	if m := d.catalog.byEndpoint[stream.match.Endpoint]; m != nil {
		stream.method, procedure, info.Spec = m, m.Procedure, m.spec()
	}
	for name, values := range r.Header {
		info.RequestHeader().SetValues(name, values)
	}
	err := d.server.Call(r.Context(), procedure, info, stream)
	for name, values := range info.ResponseHeader().All() {
		w.Header()[name] = values
	}
	if err == nil && stream.answer == nil {
		err = errors.New("a call without an answer")
	}
	if err != nil {
		d.refuse(w, r, stream, err)
		return
	}
	d.write(w, r, http.StatusOK, stream.answer.json)
}

// restConnection is what the road has to know of the connection.
type restConnection struct{ state *tls.ConnectionState }

// TLS is nil without it.
func (c restConnection) TLS() *tls.ConnectionState { return c.state }
