package build

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/service/health"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// checkEvery is the interval of readiness checks. Watchers of grpc.health.v1 hear of
// a change within it.
const checkEvery = 5 * time.Second

// readiness reports whether load balancers should send callers here.
type readiness struct {
	key     upstream.KeySource
	callers policySource
	// degraded names an optional dependency that does not work, or returns "".
	degraded func() string
	// audit says why records are not written, or "", and whether calls are answered
	// all the same.
	audit func() (reason string, degraded bool)
	// leases says what is wrong with the ledger of leases, or returns "".
	leases func() string
	// holds says why callers may call that are held, or returns "".
	holds    func() string
	health   *health.Health
	draining atomic.Bool
}

func newReadiness(key upstream.KeySource, policy policySource, degraded func() string, audit func() (reason string, degraded bool)) *readiness {
	nothing := func() string { return "" }
	return &readiness{key: key, callers: policy, degraded: degraded, audit: audit, leases: nothing, holds: nothing, health: health.New()}
}

// finding is the result of one check.
type finding struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Reason explains a failure. It contains no secret.
	Reason string `json:"reason,omitempty"`
	// Degraded means that calls are answered without the checked dependency.
	Degraded bool `json:"degraded,omitempty"`
}

// findings is the response of /readyz?verbose.
type findings struct {
	Ready    bool      `json:"ready"`
	Findings []finding `json:"findings"`
}

// look checks everything, and updates grpc.health.v1. It makes no network call: an
// upstream that is down is down for every replica.
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
	ledger := finding{Name: "leases", OK: true, Reason: r.leases()}
	ledger.Degraded = ledger.Reason != ""
	holds := finding{Name: "holds", OK: true, Reason: r.holds()}
	holds.Degraded = holds.Reason != ""
	records := finding{Name: "audit"}
	records.Reason, records.Degraded = r.audit()
	records.OK = records.Reason == "" || records.Degraded
	all := findings{Ready: true, Findings: []finding{serving, policy, key, cache, ledger, holds, records}}
	for _, f := range all.Findings {
		all.Ready = all.Ready && f.OK
	}
	r.health.Set(all.Ready)
	return all
}

// Run repeats the checks until ctx ends.
func (r *readiness) Run(ctx context.Context) error {
	ticker := time.NewTicker(checkEvery)
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

// drain makes the gateway not ready for good.
func (r *readiness) drain() {
	r.draining.Store(true)
	r.health.Set(false)
}

// ServeHTTP is /readyz: 200 or 503 with a line of text, or with ?verbose all
// findings as JSON.
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
		_ = json.NewEncoder(w).Encode(found) //nolint:errchkjson // A client that is gone needs no answer.
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, found.line()+"\n") // As above.
}

// line summarises the findings.
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
