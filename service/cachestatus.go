package service

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// cacheOutcome is how a read ended: records, metrics and the header Cache-Status
// say so.
type cacheOutcome uint8

const (
	// What is no read, or has not been answered, has no outcome.
	_ cacheOutcome = iota
	// cacheHit was answered by what is kept.
	cacheHit
	// cacheStale was answered by what is kept and no longer fresh.
	cacheStale
	// cacheMiss was answered by the upstream.
	cacheMiss
	// cacheCoalesced got the answer of a call that another had begun.
	cacheCoalesced
	// cacheBypass is a read whose answers are not kept.
	cacheBypass
	// cacheError was not answered.
	cacheError
	cacheOutcomes
)

// String is a short stable word, "" for what is no read.
func (o cacheOutcome) String() string {
	return [...]string{"", "hit", "stale", "miss", "coalesced", "bypass", "error"}[o]
}

// What Cache-Status (RFC 9211) says, and what it begins with.
const (
	statusOf     = "admin-gateway; "
	statusHit    = "hit"
	statusMiss   = "fwd=miss"
	statusShared = "fwd=miss; collapsed"
	statusReload = "fwd=request"
	statusFailed = "fwd=stale"
	statusBypass = "fwd=bypass"
	statusWrite  = "fwd=method"
)

// setStatus sets Cache-Status on an answer that is not kept.
func setStatus(ctx context.Context, status string) {
	if info, ok := connect.CallInfoForServerContext(ctx); ok {
		info.ResponseHeader().Set("Cache-Status", statusOf+status)
	}
}

// forwarded is the status of a read that was not answered.
func forwarded(status string, err error) string {
	if e, ok := errors.AsType[*upstream.Error](err); ok && e.Status != 0 {
		return status + "; fwd-status=" + strconv.Itoa(e.Status)
	}
	return status
}

// tell sets Age (RFC 9111) and Cache-Status (RFC 9211) on an answer that may be
// kept. It allocates twice.
func tell(ctx context.Context, k kept, status string, w wish, now time.Time) {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok {
		return
	}
	var room [128]byte
	age := k.entry.Age(now)
	b := strconv.AppendInt(room[:0], int64(age/time.Second), 10)
	end := len(b)
	b = append(append(b, statusOf...), status...)
	if k.failure != nil && k.failure.Status != 0 {
		b = strconv.AppendInt(append(b, "; fwd-status="...), int64(k.failure.Status), 10)
	}
	b = strconv.AppendInt(append(b, "; ttl="...), int64((k.entry.Life.Fresh-age)/time.Second), 10)
	if w.ignored {
		b = append(b, "; detail=cache-control-ignored"...)
	}
	text := string(b)
	values := []string{text[:end], text[end:]}
	info.ResponseHeader().SetValues("Age", values[:1:1])
	info.ResponseHeader().SetValues("Cache-Status", values[1:])
}

// wish is what a caller asks of the freshness of an answer with Cache-Control
// (RFC 9111, section 5.2.1). The zero wish takes what the declaration allows.
type wish struct {
	// limited: no older than maxAge, and fresh.
	limited bool
	maxAge  time.Duration
	// ignored: the caller lacks the permission that this takes.
	ignored bool
}

// reload tells whether nothing that is kept will do.
func (w wish) reload() bool { return w.limited && !w.ignored && w.maxAge <= 0 }

// wishOf reads the header Cache-Control of the call that ctx belongs to: no-cache
// and max-age. What else it says, and what cannot be understood, is no wish.
func wishOf(ctx context.Context) (w wish, ok bool) {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok {
		return wish{}, false
	}
	for _, line := range info.RequestHeader().Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch {
			case strings.EqualFold(name, "no-cache"):
				w = wish{limited: true}
				return w, true
			case strings.EqualFold(name, "max-age"):
				if age, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
					w = narrower(w, time.Duration(age)*time.Second)
				}
			}
		}
	}
	return w, w.limited
}

func narrower(w wish, maxAge time.Duration) wish {
	if w.limited {
		maxAge = min(maxAge, w.maxAge)
	}
	return wish{limited: true, maxAge: maxAge}
}
