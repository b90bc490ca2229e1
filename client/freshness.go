package client

import (
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
)

// Freshness is how old an answer is, and where it comes from.
type Freshness struct {
	// Age is how old it is. Known says whether the gateway said so: of an answer that may
	// be stored.
	Age   time.Duration
	Known bool
	// Hit says that it was stored.
	Hit bool
	// Forward says why it is the upstream's: miss, stale, request, bypass or method.
	Forward string
	// TTL is for how long it is fresh; negative where it is stale.
	TTL time.Duration
	// Detail is such as isolated, or cache-control-ignored.
	Detail string
}

// FreshnessOf reads the headers of an answer:
//
//	ctx, info := connect.NewClientContext(ctx)
//	answer, err := projects.GetProject(ctx, request)
//	age := client.FreshnessOf(info).Age
func FreshnessOf(info *connect.CallInfo) Freshness {
	var f Freshness
	if age, ok := seconds(header(info, "Age")); ok {
		f.Age, f.Known = age, true
	}
	_, status, _ := strings.Cut(header(info, "Cache-Status"), ";")
	for part := range strings.SplitSeq(status, ";") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
		case "hit":
			f.Hit = true
		case "fwd":
			f.Forward = value
		case "ttl":
			f.TTL, _ = seconds(value)
		case "detail":
			f.Detail = value
		}
	}
	return f
}

func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseInt(text, 10, 32)
	return time.Duration(n) * time.Second, err == nil
}
