package leases

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

// Acquire gets a lease with its key, and acknowledges it. It tries until the gateway
// refuses, or ctx ends. A lease of which nobody heard because ctx ended ends by itself.
func Acquire(ctx context.Context, client Client, request Request, opts ...Option) (*Holder, error) {
	o := options{
		call: DefaultCallTime, create: DefaultCreateTime, first: firstPause, longest: longestPause,
		onKey: func(Key) {}, onError: func(error, time.Duration) {}, random: mathrand.Float64,
	}
	for _, opt := range opts {
		opt(&o)
	}
	h := &Holder{client: client, request: request, o: o, turn: make(chan struct{}, 1)}
	wanted := newCreation()
	for pause := o.first; ; pause = min(2*pause, o.longest) {
		got, err := h.create(ctx, wanted, o.create)
		if err == nil {
			h.current = got
			h.acknowledge(ctx, got)
			return h, nil
		}
		if judge(err) == refused {
			return nil, err
		}
		wait := max(h.jittered(pause), retryAfter(err))
		h.o.onError(err, wait)
		if sleep(ctx, wait) != nil {
			return nil, fmt.Errorf("leases: %w; the last attempt: %w", context.Cause(ctx), err)
		}
	}
}

// creation is a lease that is asked for, by the same request until that is hopeless.
type creation struct {
	id string
	// asked is when the request was first sent: the lease was not created before.
	asked time.Time
}

func newCreation() *creation { return new(creation) }

// create asks for a lease once.
func (h *Holder) create(ctx context.Context, c *creation, atMost time.Duration) (held, error) {
	if c.id == "" {
		c.id, c.asked = rand.Text(), time.Now()
	}
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	answer, err := h.client.CreateLease(ctx, h.request.message(c.id))
	var got held
	if err == nil {
		got, err = newHeld(answer, c.asked)
	}
	if err != nil && judge(err) == anew {
		*c = creation{}
	}
	return got, err
}

// acknowledge lets the gateway forget the secret. A failure does no harm: the first
// renewal says the same. So it gets little time.
func (h *Holder) acknowledge(ctx context.Context, got held) {
	ctx, cancel := context.WithTimeout(ctx, within(h.o.call, time.Until(got.ends)/10))
	defer cancel()
	_, _ = h.client.AcknowledgeLease(ctx, &leasev1.AcknowledgeLeaseRequest{LeaseId: got.key.lease.GetId()})
}

// jittered is a part of a time at random, at least half of it, so that what failed
// together is not tried again together.
func (h *Holder) jittered(d time.Duration) time.Duration {
	return d/2 + time.Duration(h.o.random()*float64(d/2))
}

// sleep returns the error of a context that ends meanwhile.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
