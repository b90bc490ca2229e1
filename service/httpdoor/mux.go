package httpdoor

import (
	"compress/gzip"
	"net/http"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectgzip"
)

// Mux is a mux that lets calls of unknown methods in that came over HTTP/1.1.
type Mux struct{ *http.ServeMux }

// Handle registers what the library makes: a handler for each procedure, and for
// each service one, whose pattern ends in a slash, for unknown methods.
func (m Mux) Handle(pattern string, handler http.Handler) {
	if strings.HasSuffix(pattern, "/") {
		handler = unknownOverHTTP1(handler)
	}
	m.ServeMux.Handle(pattern, handler)
}

// unknownOverHTTP1 lets calls of unknown methods by gRPC-Web and streams of
// Connect take the pipeline, which answers and records them. The library takes
// an unknown method for one that streams both ways at once, and answers 505
// where the version cannot; but nothing of such a call streams. gRPC itself
// needs HTTP/2 whatever the method.
func unknownOverHTTP1(unknown http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		kind, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(kind)), "+")
		if r.ProtoMajor == 1 && kind != "application/grpc" {
			r = r.WithContext(r.Context())
			r.ProtoMajor, r.ProtoMinor = 2, 0
		}
		unknown.ServeHTTP(w, r)
	})
}

// Gzip compresses at the least cost: for a hit, compressing is most of the work,
// and the levels above save a tenth of the bytes for a multiple of the time.
func Gzip() connect.Compressor {
	return connectgzip.New(connectgzip.WithLevel(gzip.BestSpeed))
}
