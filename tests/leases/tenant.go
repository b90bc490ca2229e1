//go:build unix

package leases

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Hold is a lease as its tenant knows it.
type Hold struct {
	Request, Role, Holder string
	// Lease is its id, once the tenant has heard it.
	Lease string
	// Expires is the end that the last answer said.
	Expires time.Time
	// Latest is the latest end that the lease may have: of an answer, or of a call whose
	// answer did not come.
	Latest time.Time
	// MaxExpires is the end that no renewal passes; zero until it is known.
	MaxExpires time.Time
	// Secrets are those of its keys, the newest last; it is the one in use.
	Secrets []string
	// Ended tells that its end was confirmed, Doubt that nobody knows what became of a
	// call that ends it, or that gives it another key.
	Ended, Doubt bool
}

// Tenant asks for leases. It has gateways to go to, and goes on at another one.
type Tenant struct {
	house  *House
	number int
	random *rand.Rand
	diary  *Diary
}

// Diary has what the tenants know.
type Diary struct {
	mu    sync.Mutex
	holds []*Hold
	// secrets are all that were ever given.
	secrets []string
	// calls and unknown count calls, and those without an outcome.
	calls, unknown map[string]int
	// faults are what a tenant saw that must not be.
	faults []Violation
}

// NewDiary is an empty one.
func NewDiary() *Diary {
	return &Diary{calls: make(map[string]int), unknown: make(map[string]int)}
}

func (d *Diary) add(h *Hold) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holds = append(d.holds, h)
}

func (d *Diary) given(secret string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if secret != "" && !slices.Contains(d.secrets, secret) {
		d.secrets = append(d.secrets, secret)
	}
}

func (d *Diary) count(rpc string, unknown bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[rpc]++
	if unknown {
		d.unknown[rpc]++
	}
}

func (d *Diary) fault(v Violation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, v)
}

// later moves the latest end that a lease may have.
func (h *Hold) later(end time.Time) {
	if !h.MaxExpires.IsZero() && end.After(h.MaxExpires) {
		end = h.MaxExpires
	}
	if end.After(h.Latest) {
		h.Latest = end
	}
}

// use has the current key of a lease used at the upstream: it works until the lease ends.
func (t *Tenant) use(h *Hold) {
	if len(h.Secrets) == 0 || h.Ended || h.Doubt {
		return
	}
	before := time.Now()
	alive := t.house.Upstream.KeyAlive(h.Secrets[len(h.Secrets)-1])
	// The sandbox counts whole seconds, as its keys do.
	if !alive && time.Now().Before(h.Expires.Add(-time.Second)) {
		t.diary.fault(Violation{EndsEarly, "the key of lease " + h.Lease + " of role " + h.Role + " does not work at " + before.UTC().Format(clock) + ", and the lease lasts until " + h.Expires.UTC().Format(clock)})
	}
}

// clock is the form of times in what is reported.
const clock = "15:04:05.000"
