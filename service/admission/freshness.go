package admission

import (
	"context"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
)

// Freshness is the age of an answer that a caller accepts, by Cache-Control
// (RFC 9111, section 5.2.1). The zero value accepts as much as the declaration
// allows.
type Freshness struct {
	// Limited: the answer must be fresh, and no older than MaxAge.
	Limited bool
	// MaxAge counts from when the upstream was asked.
	MaxAge time.Duration
	// Ignored: the caller lacks the permission to limit it.
	Ignored bool
	// Stored: the answer must be a stored one, and nothing is asked of the upstream. It
	// may be as stale as the declaration allows when there is no other.
	Stored bool
}

// Limits returns whether the caller limits the age, and may.
func (f Freshness) Limits() bool { return f.Limited && !f.Ignored }

// Reload returns whether every stored answer is refused.
func (f Freshness) Reload() bool { return f.Limits() && f.MaxAge <= 0 }

type freshnessKey struct{}

// WithFreshness is the interceptor that reads Cache-Control, the one place that
// does. The result holds for the call and for all of its parts.
func WithFreshness(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		if info, ok := connect.CallInfoForServerContext(ctx); ok {
			if asked := parseCacheControl(info.RequestHeader().Values("Cache-Control")); asked != (Freshness{}) {
				ctx = context.WithValue(ctx, freshnessKey{}, asked)
			}
		}
		return next(ctx, spec, stream)
	}
}

// freshnessOf is the freshness for the caller of ctx.
func freshnessOf(ctx context.Context) Freshness {
	asked, _ := ctx.Value(freshnessKey{}).(Freshness)
	return asked
}

// parseCacheControl understands no-cache, max-age and only-if-cached. Other directives,
// and values that are malformed, ask for nothing.
func parseCacheControl(lines []string) (asked Freshness) {
	// Of several ages the smallest holds, and no-cache is the age of none.
	for _, line := range lines {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch {
			case strings.EqualFold(name, "no-cache"):
				asked.Limited, asked.MaxAge = true, 0
			case strings.EqualFold(name, "only-if-cached"):
				asked.Stored = true
			case strings.EqualFold(name, "max-age"):
				age, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
				if err != nil {
					continue
				}
				maxAge := time.Duration(age) * time.Second
				if asked.Limited {
					maxAge = min(maxAge, asked.MaxAge)
				}
				asked.Limited, asked.MaxAge = true, maxAge
			}
		}
	}
	return asked
}
