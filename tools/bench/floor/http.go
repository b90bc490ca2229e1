package floor

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	maxRequest   = 1 << 20
	headerPeriod = 10 * time.Second
)

// serveHTTP serves HTTP/1.1 and HTTP/2 in clear text until ctx ends.
func serveHTTP(ctx context.Context, l net.Listener, handler http.Handler) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: protocols, ReadHeaderTimeout: headerPeriod}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveFairHTTP is what net/http can do: the answer of a unary call over Connect, or of a
// GET, whose type is that of the request.
func serveFairHTTP(ctx context.Context, l net.Listener, o Options, answer []byte) error {
	d, err := newDuties(o)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	var writing sync.WaitGroup
	var written error
	writing.Go(func() { written = d.run(ctx) })
	err = serveHTTP(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, c, err := d.begin(r.Context(), r.Header.Get("Authorization"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		if _, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest)); err != nil {
			http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
			return
		}
		header := w.Header()
		for _, h := range d.headers(c) {
			header[http.CanonicalHeaderKey(h[0])] = []string{h[1]}
		}
		kind := r.Header.Get("Content-Type")
		if kind == "" {
			kind = "application/json"
		}
		header.Set("Content-Type", kind)
		if err := d.end(c, r.RemoteAddr, strings.TrimPrefix(r.URL.Path, "/")); err != nil {
			http.Error(w, "no record", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(answer)
	}))
	cancel()
	writing.Wait()
	return errors.Join(err, written)
}

// serveUpstream answers every request as the Admin API would: with JSON.
func serveUpstream(ctx context.Context, l net.Listener, _ Options, answer []byte) error {
	return serveHTTP(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Cache-Control", "max-age=3600") // For the peers that cache by it.
		_, _ = w.Write(answer)
	}))
}
