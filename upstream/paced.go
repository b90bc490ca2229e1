package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// PacedBy adapts a [pace.Pacer] to the [Pacer] of a [Sender].
func PacedBy(pacer *pace.Pacer) Pacer { return paced{pacer} }

type paced struct{ pacer *pace.Pacer }

// Wait implements [Pacer].
func (p paced) Wait(ctx context.Context, bucket string) (func(context.Context, time.Duration), error) {
	grant, err := p.pacer.Wait(ctx, bucket)
	if exhausted, ok := errors.AsType[*pace.Exhausted](err); ok {
		return nil, noBudgetError{exhausted}
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, retryAfter time.Duration) { p.pacer.Limited(ctx, grant, retryAfter) }, nil
}

// noBudgetError has the method RetryAfter that a Sender looks for.
type noBudgetError struct{ *pace.Exhausted }

// RetryAfter is how long to wait.
func (n noBudgetError) RetryAfter() time.Duration { return n.Exhausted.RetryAfter }

// Unwrap returns the error for the log.
func (n noBudgetError) Unwrap() error { return n.Exhausted }
