package pacing

import (
	"context"
	"time"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// Accounted is a pacer whose waits, the first of a call and those of its repetitions, are
// in the account of the call that waits.
func Accounted(pacer upstream.Pacer) upstream.Pacer { return accounted{pacer} }

type accounted struct{ upstream.Pacer }

// Wait implements [upstream.Pacer].
func (a accounted) Wait(ctx context.Context, bucket string) (limited func(ctx context.Context, retryAfter time.Duration), err error) {
	defer accounting.From(ctx).Waits.Begin(bucket)()
	return a.Pacer.Wait(ctx, bucket)
}
