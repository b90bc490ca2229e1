package limits

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/overrides"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// policy has a caller that may have one call at a time, and no leases but one.
const policy = `
callers:
  - name: ann
    authenticate: [{token_sha256: $ann}]
    grants: [{permissions: ["*"]}]
    limits: {requests_per_second: 1000, burst: 1000, concurrent: 1, streams: 1}
    leases: {max_live: 1}
`

// source is a policy that can be changed.
type source struct{ atomic.Pointer[callers.Set] }

func (s *source) Current() *callers.Set { return s.Load() }

func newSource(t *testing.T) *source {
	t.Helper()
	s := new(source)
	s.Store(admissiontest.NewPolicy(t, catalogtest.Gateway(t), policy).Current())
	return s
}

// room is how many calls a caller may have at the same time.
func (s *source) room(caller string) (n int) {
	limiter := s.Current().Limiter(caller)
	for {
		if _, ok := limiter.Start(callers.Single); !ok {
			break
		}
		n++
	}
	for range n {
		limiter.Done(callers.Single)
	}
	return n
}

func newLimits(t *testing.T, ledger overrides.Ledger, s *source) *Limits {
	t.Helper()
	l, err := New(Options{Ledger: ledger, Callers: s})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// give gives ann other limits for an hour.
func give(t *testing.T, l *Limits, concurrent int32) {
	t.Helper()
	at := time.Now()
	if err := l.kept.Put(t.Context(), Limit{
		Override: overrides.Override{Caller: "ann", By: "operator", At: at, Until: at.Add(time.Hour)},
		Limits:   callers.Override{Concurrent: &concurrent, MaxLiveLeases: &concurrent},
	}); err != nil {
		t.Fatal(err)
	}
}

// want wants that a caller may have a number of calls at the same time, and of leases.
func (s *source) want(t *testing.T, when string, n int) {
	t.Helper()
	if room, leases := s.room("ann"), s.Current().LeaseLimitsInForce("ann"); room != n || leases.MaxLive != n || leases.MintsPerHour != s.Current().LeaseLimits("ann").MintsPerHour {
		t.Errorf("%s: %d calls, %+v, want %d", when, room, leases, n)
	}
	if limits := s.Current().Limits("ann"); limits.Concurrent != 1 {
		t.Errorf("%s: the policy's limits are %+v", when, limits)
	}
}

// TestLimitsAreInForceUntilTheirTime, at the replica that gives them and at another one;
// then the policy's are.
func TestLimitsAreInForceUntilTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger := new(paper)
		one, two := newSource(t), newSource(t)
		here, there := newLimits(t, ledger, one), newLimits(t, ledger, two)
		running(t, here, there)
		one.want(t, "before", 1)
		give(t, here, 3)
		one.want(t, "at once, where they were given", 3)
		<-time.After(2 * time.Second)
		two.want(t, "at the other replica", 3)
		give(t, here, 5)
		one.want(t, "given anew", 5)
		<-time.After(2 * time.Second)
		two.want(t, "given anew, at the other replica", 5)
		<-time.After(time.Hour + time.Second)
		one.want(t, "after their time", 1)
		two.want(t, "after their time, at the other replica", 1)
		give(t, there, 2)
		if _, err := there.kept.Remove(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		two.want(t, "taken back", 1)
	})
}

// TestLimitsOutliveAReload of the policy, also one that makes a caller new; and what the
// ledger cannot say stays as it was, but for what is over.
func TestLimitsOutliveAReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger, s := new(paper), newSource(t)
		l := newLimits(t, ledger, s)
		running(t, l)
		give(t, l, 3)
		s.Store(newSource(t).Current()) // Its limiters are new, as that of a caller that is new.
		<-time.After(time.Second + time.Millisecond)
		s.want(t, "after a reload", 3)
		ledger.fail()
		<-time.After(time.Minute)
		s.want(t, "without the ledger", 3)
		<-time.After(time.Hour)
		s.want(t, "without the ledger, after their time", 1)
	})
}

// running runs them until the test ends.
func running(t *testing.T, all ...*Limits) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	for _, l := range all {
		go func() { ended <- l.Run(ctx) }()
	}
	t.Cleanup(func() {
		stop()
		for range all {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

// paper is a ledger of one document.
type paper struct {
	mu       sync.Mutex
	document lease.Document
	err      error
}

func (p *paper) fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = lease.ErrUnavailable
}

func (p *paper) Document(context.Context, string) (lease.Document, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && p.document.Version == 0 {
		return lease.Document{}, lease.ErrNotFound
	}
	return p.document, p.err
}

func (p *paper) PutDocument(_ context.Context, d lease.Document) (lease.Document, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.Version != p.document.Version {
		return lease.Document{}, lease.ErrConflict
	}
	d.Version++
	p.document = d
	return d, nil
}
