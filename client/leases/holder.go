package leases

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

// Holder has a lease. [Acquire] makes one.
type Holder struct {
	client  Client
	request Request
	o       options
	// turn has room for one call that changes the lease: a renewal that overtakes a
	// rotation would take its key for somebody else's.
	turn chan struct{}

	mu      sync.Mutex
	current held
	// former are leases that were replaced and have not ended.
	former []held
}

// held is a lease, and what this process knows of its end.
type held struct {
	key Key
	// ends is when the lease ends, by this process's clock, or a little earlier.
	ends time.Time
	// life is how long the lease was to live when it was created.
	life time.Duration
	// last says that no renewal moves the end.
	last bool
}

// newHeld is the lease of an answer to a request that was first sent at a time. The lease
// was created after that, so that it ends no earlier than as long after it.
func newHeld(answer *leasev1.CreateLeaseResponse, asked time.Time) (held, error) {
	lease := answer.GetLease()
	switch {
	case answer.GetSecret() == "":
		return held{}, errNoSecret
	case lease.GetCreatedAt() == nil || lease.GetExpiresAt() == nil:
		return held{}, errNoTimes
	}
	life := lease.GetExpiresAt().AsTime().Sub(lease.GetCreatedAt().AsTime())
	return held{Key{lease, answer.GetSecret()}, asked.Add(life), life, atLatest(lease)}, nil
}

// renewed is the lease after a renewal. Its end moved by as much as the gateway says.
func (h held) renewed(lease *leasev1.Lease) (held, error) {
	switch {
	case lease.GetExpiresAt() == nil:
		return h, errNoTimes
	case lease.GetApiKeyId() != h.key.lease.GetApiKeyId():
		return h, errOtherKey
	}
	moved := lease.GetExpiresAt().AsTime().Sub(h.key.lease.GetExpiresAt().AsTime())
	return held{Key{lease, h.key.secret}, h.ends.Add(moved), h.life, moved <= 0 || atLatest(lease)}, nil
}

// atLatest says whether a lease has its latest end.
func atLatest(lease *leasev1.Lease) bool {
	latest := lease.GetMaxExpiresAt()
	return latest != nil && !lease.GetExpiresAt().AsTime().Before(latest.AsTime())
}

// Key is the key to use now.
func (h *Holder) Key() Key {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current.key
}

func (h *Holder) held() held {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current
}

func (h *Holder) set(current held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current = current
}

// over takes note that a lease has ended, or that somebody else has it: it was revoked, or
// rotated.
func (h *Holder) over(current held) {
	current.last = true
	if now := time.Now(); now.Before(current.ends) {
		current.ends = now
	}
	h.set(current)
}

// succeed puts a lease in the place of the one before, which is left to its end: what has
// its key may go on with it, and an end costs no call.
func (h *Holder) succeed(next held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.former = slices.DeleteFunc(append(h.former, h.current), func(l held) bool { return !now.Before(l.ends) })
	h.current = next
}

// Keep keeps the lease until ctx ends, and returns ctx's error then. It renews at about
// two thirds of what is left, tries again after every error until the lease's end, and
// gets another lease when this one is over or has its latest end. It ends by itself, with
// a [*LostError], only when the lease is over and another one is refused.
//
// Call it once, on a goroutine of its own.
func (h *Holder) Keep(ctx context.Context) error {
	next := newCreation()
	pause, wait := h.o.first, h.untilRenewal()
	for {
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		err := h.prolong(ctx, next)
		current := h.held()
		left := time.Until(current.ends)
		switch {
		case err == nil:
			pause, wait = h.o.first, h.untilRenewal()
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case !current.last && (left <= 0 || isOver(err)):
			h.over(current)
			wait = 0 // Another lease is asked for.
		case left <= 0 && judge(err) == refused:
			return &LostError{LeaseID: current.key.lease.GetId(), Err: err}
		default:
			wait = h.untilAttempt(err, pause, left)
			pause = min(2*pause, h.o.longest)
		}
		h.o.onError(err, wait)
	}
}

// prolong renews the lease, or puts another one in its place.
func (h *Holder) prolong(ctx context.Context, next *creation) error {
	if err := h.begin(ctx); err != nil {
		return err
	}
	defer h.done()
	current := h.held()
	if !current.last {
		return h.renew(ctx, current)
	}
	left := time.Until(current.ends)
	atMost := h.o.create
	if left > 0 {
		atMost = within(atMost, left/3)
	}
	got, err := h.create(ctx, next, atMost)
	if err != nil {
		return fmt.Errorf("get another lease: %w", err)
	}
	*next = creation{}
	h.succeed(got)
	h.o.onKey(got.key)
	h.acknowledge(ctx, got)
	return nil
}

// renew renews a lease.
func (h *Holder) renew(ctx context.Context, current held) error {
	ctx, cancel := context.WithTimeout(ctx, within(h.o.call, time.Until(current.ends)/3))
	defer cancel()
	answer, err := h.client.RenewLease(ctx, &leasev1.RenewLeaseRequest{LeaseId: current.key.lease.GetId(), Ttl: h.request.ttl()})
	if err != nil {
		return fmt.Errorf("renew lease %s: %w", current.key.lease.GetId(), err)
	}
	if current, err = current.renewed(answer.GetLease()); err != nil {
		return err
	}
	h.set(current)
	return nil
}

// within is a time that a call may take: a part of what is left, and at most so much.
func within(atMost, part time.Duration) time.Duration { return min(atMost, max(part, shortestCall)) }

// untilRenewal is the time to the next call when all is well. A third of the lease's life
// is left then for attempts that fail, and up to a fifteenth more, at random: also where
// its latest end leaves it little time, and another lease has to be asked for at once.
func (h *Holder) untilRenewal() time.Duration {
	current := h.held()
	left := time.Until(current.ends)
	reserve := time.Duration(float64(max(left, current.life)) * (1.0/3 + h.o.random()/15))
	return max(left-reserve, shortestPause)
}

// untilAttempt is the time to the next attempt after an error. One is made at the end of
// the lease whatever the gateway asks for: then another lease is needed.
func (h *Holder) untilAttempt(err error, pause, left time.Duration) time.Duration {
	asked := retryAfter(err)
	if left <= 0 {
		return max(h.jittered(pause), asked)
	}
	return max(min(max(min(h.jittered(pause), left/4), asked), left), shortestPause)
}

// Release revokes the lease, and those before it that have not ended. It tries until ctx
// ends, and returns what could not be revoked: that ends by itself. Call it after Keep.
func (h *Holder) Release(ctx context.Context) error {
	h.mu.Lock()
	leases := append(slices.Clone(h.former), h.current)
	h.mu.Unlock()
	var failed []error
	for i := range leases {
		if time.Now().Before(leases[i].ends) {
			failed = append(failed, h.revoke(ctx, leases[i].key.lease.GetId()))
		}
	}
	return errors.Join(failed...)
}

func (h *Holder) revoke(ctx context.Context, id string) error {
	for pause := h.o.first; ; pause = min(2*pause, h.o.longest) {
		err := h.revokeOnce(ctx, id)
		switch {
		case err == nil, isOver(err):
			return nil
		case judge(err) == refused || sleep(ctx, max(h.jittered(pause), retryAfter(err))) != nil:
			return fmt.Errorf("revoke lease %s: %w", id, err)
		}
	}
}

func (h *Holder) revokeOnce(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, h.o.call)
	defer cancel()
	_, err := h.client.RevokeLease(ctx, &leasev1.RevokeLeaseRequest{LeaseId: id})
	return err
}
