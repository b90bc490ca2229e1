package build

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// lookAgain is how often the gateway asks itself whether it is ready, for those
// who watch its health.
const lookAgain = 5 * time.Second

// readiness says whether callers should be sent here.
type readiness struct {
	key     upstream.KeySource
	callers policySource
	// degraded says what does not work and can be done without; "" is nothing.
	degraded func() string
	health   *service.Health
	draining atomic.Bool
}

func newReadiness(key upstream.KeySource, policy policySource, degraded func() string) *readiness {
	return &readiness{key: key, callers: policy, degraded: degraded, health: service.NewHealth()}
}

// finding is one thing that readiness looks at.
type finding struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Reason is why not, in words that hold nothing secret.
	Reason string `json:"reason,omitempty"`
	// Degraded is something that calls are answered without.
	Degraded bool `json:"degraded,omitempty"`
}

// findings is the answer of /readyz?verbose.
type findings struct {
	Ready    bool      `json:"ready"`
	Findings []finding `json:"findings"`
}

// look finds out, and has the health follow. It asks nobody beyond this machine:
// an upstream that is down is no reason to send callers elsewhere, where it is
// down too.
func (r *readiness) look(ctx context.Context) findings {
	serving := finding{Name: "serving", OK: !r.draining.Load()}
	if !serving.OK {
		serving.Reason = "the gateway stops"
	}
	policy := finding{Name: "policy", OK: r.callers.Current() != nil}
	if !policy.OK {
		policy.Reason = "no policy was ever loaded"
	}
	key := finding{Name: "admin_key", OK: true}
	if _, err := r.key.Key(ctx); err != nil {
		key.OK, key.Reason = false, "the admin key cannot be read; the log of the start, or of a failed call, says why"
	}
	cache := finding{Name: "cache", OK: true, Reason: r.degraded()}
	cache.Degraded = cache.Reason != ""
	all := findings{Ready: true, Findings: []finding{serving, policy, key, cache}}
	for _, f := range all.Findings {
		all.Ready = all.Ready && f.OK
	}
	r.health.Set(all.Ready)
	return all
}

// Run looks until ctx ends.
func (r *readiness) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		r.look(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// drain says from now on that the gateway is not ready.
func (r *readiness) drain() {
	r.draining.Store(true)
	r.health.Set(false)
}

// ServeHTTP is /readyz: 200 or 503, and a line that says why; with ?verbose
// everything that was looked at, as JSON.
func (r *readiness) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	found := r.look(request.Context())
	status := http.StatusOK
	if !found.Ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	if request.URL.Query().Has("verbose") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(found) //nolint:errchkjson // Who asked and has gone does not need the answer.
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, found.line()+"\n") // As above.
}

// line is what was found in a few words.
func (r findings) line() string {
	degraded := ""
	for _, f := range r.Findings {
		if !f.OK {
			return "not ready: " + f.Reason
		}
		if f.Degraded {
			degraded = ", degraded: " + f.Reason
		}
	}
	return "ok" + degraded
}
