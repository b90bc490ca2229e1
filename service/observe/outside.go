package observe

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// Outside is a reason for which a request was answered without being a call.
type Outside string

// Reasons of requests that were no calls.
const (
	// OutsidePath is a path that is not one of the doors'.
	OutsidePath Outside = "path"
	// OutsideProtocol is a path of a door, and a request in none of its protocols: its
	// verb, its content type or its version.
	OutsideProtocol Outside = "protocol"
)

// Strays counts and logs requests over HTTP that were no calls, and so have neither a
// line nor a record of a call. It is safe for concurrent use.
type Strays struct {
	counted *prometheus.CounterVec
	logger  *slog.Logger
	lines   *rate.Limiter
	leftOut atomic.Int64
}

// NewStrays registers the metrics; with a nil registerer they are not exported.
func NewStrays(registerer prometheus.Registerer, logger *slog.Logger) (*Strays, error) {
	s := &Strays{
		counted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_stray_requests_total", Help: "Requests over HTTP that were no calls, by the reason.",
		}, []string{"reason"}),
		logger: logger,
		lines:  rate.NewLimiter(strayLines, strayBurst),
	}
	for _, reason := range []Outside{OutsidePath, OutsideProtocol} {
		s.counted.WithLabelValues(string(reason))
	}
	return s, Register(registerer, s.counted)
}

// Strangers choose how often they ask for paths that do not exist: so many lines a
// second, and as many at once as they leave unused.
const strayLines, strayBurst = 1, 20

// Seen counts a request, and logs some, with what was left out before. Of the request
// the line has its verb and its path, both cleaned.
func (s *Strays) Seen(ctx context.Context, r *http.Request, reason Outside) {
	if s == nil {
		return
	}
	s.counted.WithLabelValues(string(reason)).Inc()
	if !s.logger.Enabled(ctx, slog.LevelInfo) {
		return
	}
	if !s.lines.Allow() {
		s.leftOut.Add(1)
		return
	}
	attrs := []slog.Attr{
		slog.String("reason", string(reason)), slog.String("verb", verb(r.Method)), slog.String("path", cleanPath(r.URL.Path)), slog.String("peer", r.RemoteAddr),
	}
	if n := s.leftOut.Swap(0); n > 0 {
		attrs = append(attrs, slog.Int64("left_out", n))
	}
	s.logger.LogAttrs(ctx, slog.LevelInfo, "request outside of the doors", attrs...)
}

// verb is the verb of a request, "other" for one that is not HTTP's.
func verb(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	default:
		return "other"
	}
}

const (
	// longestPath bounds the path in a line.
	longestPath = 100
	// longestSegment bounds a segment: a longer one may be a token.
	longestSegment = 24
)

// cleanPath is a path without what may be a credential or break a line: long segments
// are left out, and characters beside letters, digits and a few marks are "_".
func cleanPath(path string) string {
	segments := strings.Split(path[:min(len(path), 4*longestPath)], "/")
	for i, segment := range segments {
		if len(segment) > longestSegment {
			segments[i] = "…"
			continue
		}
		segments[i] = strings.Map(func(r rune) rune {
			if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
				return r
			}
			return '_'
		}, segment)
	}
	clean := strings.Join(segments, "/")
	if len(clean) > longestPath {
		return strings.ToValidUTF8(clean[:longestPath], "") + "…"
	}
	return clean
}
