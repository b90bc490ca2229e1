package leases

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

// begin waits until no other call changes the lease.
func (h *Holder) begin(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Holder) done() { <-h.turn }

// Renew renews the lease now, in one attempt. [Holder.Keep] does it by itself, ahead of
// time.
func (h *Holder) Renew(ctx context.Context) error {
	if err := h.begin(ctx); err != nil {
		return err
	}
	defer h.done()
	return h.renew(ctx, h.held())
}

// Rotate gives the lease another key, such as after a leak. The one before goes on working
// for as long as overlap says; with 0 it is deleted at once. [OnKey] gets the new one, on
// the goroutine of Rotate. It tries again after errors that pass, for a third of the time
// that the lease has left.
func (h *Holder) Rotate(ctx context.Context, overlap time.Duration) (Key, error) {
	if err := h.begin(ctx); err != nil {
		return Key{}, err
	}
	rotated, err := h.rotate(ctx, h.held(), overlap)
	if err == nil {
		h.set(rotated)
	}
	h.done()
	if err != nil {
		return Key{}, err
	}
	h.o.onKey(rotated.key)
	h.acknowledge(ctx, rotated)
	return rotated.key, nil
}

// rotate makes the same request until it is answered, or refused.
func (h *Holder) rotate(ctx context.Context, current held, overlap time.Duration) (held, error) {
	id := current.key.lease.GetId()
	request := &leasev1.RotateLeaseRequest{LeaseId: id, RequestId: rand.Text()}
	if overlap > 0 {
		request.Overlap = durationpb.New(overlap)
	}
	ctx, cancel := context.WithTimeout(ctx, within(h.o.create, time.Until(current.ends)/3))
	defer cancel()
	for pause := h.o.first; ; pause = min(2*pause, h.o.longest) {
		answer, err := h.client.RotateLease(ctx, request)
		if err == nil {
			return current.rotated(answer)
		}
		wait := max(h.jittered(pause), retryAfter(err))
		if isOver(err) || judge(err) != again || sleep(ctx, wait) != nil {
			return held{}, fmt.Errorf("rotate lease %s: %w", id, err)
		}
	}
}

// rotated is the lease with another key.
func (h held) rotated(answer *leasev1.RotateLeaseResponse) (held, error) {
	lease := answer.GetLease()
	switch {
	case answer.GetSecret() == "":
		return held{}, errNoSecret
	case lease.GetExpiresAt() == nil:
		return held{}, errNoTimes
	}
	moved := lease.GetExpiresAt().AsTime().Sub(h.key.lease.GetExpiresAt().AsTime())
	return held{Key{lease, answer.GetSecret()}, h.ends.Add(moved), h.life, atLatest(lease)}, nil
}
