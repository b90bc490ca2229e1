package cache

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Leases gives leases of fetches, each to one replica at a time. Redis implements it.
type Leases interface {
	// Acquire takes the lease of a fetch for ttl, after which it expires. ok is false
	// while another replica has it whose response will do: one that fetches for the
	// same generations of the tags, and is as urgent or has departed. From any other
	// the lease is taken over. The error wraps ErrUnavailable, or is ErrWriting:
	// while a write is open no response is stored for others to load.
	Acquire(ctx context.Context, claim Claim, ttl time.Duration) (lease Lease, ok bool, err error)
}

// Claim is what a replica wants to fetch.
type Claim struct {
	Key Key
	// Tags are those of the response.
	Tags Tags
	// Class is the urgency of the fetch. A lower one is more urgent.
	Class int
}

// Lease is the lease of a fetch. Its errors wrap ErrUnavailable.
type Lease interface {
	// Renew extends the lease, and notes the class, which may have changed, and
	// whether the fetch has departed. held is false if another replica has taken the
	// lease over.
	Renew(ctx context.Context, class int, departed bool) (held bool, err error)
	// Release gives the lease back if this replica still has it. It ignores the end
	// of ctx.
	Release(ctx context.Context) error
}

// The lease of a fetch, and the first and the longest wait between two polls of the
// replicas that wait for it.
const (
	// DefaultFetchLease is how long a replica that died prevents others from
	// fetching the same response.
	DefaultFetchLease = 5 * time.Second
	// renewals is the number of renewals within a lease.
	renewals  = 5
	firstPoll = 10 * time.Millisecond
	lastPoll  = 250 * time.Millisecond
)

// Shared is a fetch that replicas share: see [Across].
type Shared[T any] struct {
	Leases Leases
	Key    Key
	Tags   Tags
	// Class returns the urgency, which may rise during the fetch.
	Class func() int
	// Lease is the length of the lease. [DefaultFetchLease] if not positive.
	Lease time.Duration
	// Load asks the shared store.
	Load func(ctx context.Context) (T, bool)
	// Fetch calls [Depart] when its request goes out.
	Fetch func(ctx context.Context) (T, error)
}

// Across lets replicas that miss the same key share one fetch. The replica with the
// lease fetches, and renews it. The others poll Load, and take over once the lease is
// free; one that is more urgent, or that came after a write, takes over at once. The
// fetch that lost its lease goes on if it has departed; otherwise it ends, and its
// replica waits like the others, so that no second request is spent. If leases are
// unavailable, Across fetches without one. It is meant to run in a [Flight], and ends
// with ctx.
func Across[T any](ctx context.Context, s Shared[T]) (T, error) {
	if s.Lease <= 0 {
		s.Lease = DefaultFetchLease
	}
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		lease, ok, err := s.Leases.Acquire(ctx, Claim{Key: s.Key, Tags: s.Tags, Class: s.Class()}, s.Lease)
		if err != nil {
			return s.Fetch(ctx)
		}
		if ok {
			answer, err := s.fetchHolding(ctx, lease)
			if !errors.Is(err, errTakenOver) {
				return answer, err
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			var none T
			return none, ctx.Err()
		}
		if answer, ok := s.Load(ctx); ok {
			return answer, nil
		}
	}
}

// errTakenOver is the error of a fetch that has not departed and need not any more.
var errTakenOver = errors.New("cache: another replica fetches")

// fetchHolding loads once more before it fetches, because the lease may be free
// because another replica has saved the response.
func (s *Shared[T]) fetchHolding(ctx context.Context, lease Lease) (T, error) {
	// The lease expires if it cannot be given back.
	defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }()
	if answer, ok := s.Load(ctx); ok {
		return answer, nil
	}
	fetching, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := &holder{lease: lease, class: s.Class, cancel: cancel}
	renewed := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(renewed)
		h.renew(fetching, ended, s.Lease/renewals)
	}()
	defer func() {
		close(ended)
		<-renewed
	}()
	answer, err := s.Fetch(WithDeparture(fetching, h.depart))
	if err != nil && errors.Is(context.Cause(fetching), errTakenOver) {
		return answer, errTakenOver
	}
	return answer, err
}

// holder has the lease of a fetch.
type holder struct {
	lease  Lease
	class  func() int
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	departed bool
}

// depart tells the other replicas that a response is under way. The fetch does not
// wait for them: its request has been admitted, and is spent either way.
func (h *holder) depart(ctx context.Context) {
	h.mu.Lock()
	again := h.departed
	h.departed = true
	h.mu.Unlock()
	if !again {
		_, _ = h.lease.Renew(ctx, h.class(), true) // The renewal repeats it.
	}
}

// renew renews the lease until the fetch has ended, and ends a fetch that has lost it
// before it departed.
func (h *holder) renew(ctx context.Context, ended <-chan struct{}, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		h.mu.Lock()
		departed := h.departed
		h.mu.Unlock()
		if held, err := h.lease.Renew(ctx, h.class(), departed); held || err != nil {
			continue
		}
		h.mu.Lock()
		if !h.departed {
			h.cancel(errTakenOver)
		}
		h.mu.Unlock()
		return
	}
}
