package inventories

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"connectrpc.com/connect/v2"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

// verdict says whether there is another stream after one that ended.
type verdict int

const (
	never    verdict = iota // asking again brings nothing
	complete                // nothing is missing
	later                   // after a pause
	atOnce
)

// errCut is the error of a stream that ended without a message that says so.
var errCut = errors.New("inventories: the stream was cut off")

// stream reads one stream, and passes its pages on.
func (w *walk[M]) stream(ctx context.Context) (verdict, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	silent := time.AfterFunc(w.silence, func() { end(fmt.Errorf("%w: it said nothing for %v", errCut, w.silence)) })
	defer silent.Stop()
	stream, err := w.open(ctx)
	if err != nil {
		return w.broken(ctx, err)
	}
	defer func() { _ = stream.Close() }()
	for first := true; ; first = false {
		silent.Reset(w.silence)
		message, err := stream.Receive()
		silent.Stop()
		switch {
		case err != nil && !first && connect.CodeOf(err) == connect.CodeUnauthenticated:
			return later, err // The credential has ended, which was good; the next stream may have another.
		case err != nil:
			return w.broken(ctx, err)
		}
		if first { // It reads again what had failed.
			w.left.Reasons, w.left.Failures, w.left.MoreFailures = nil, nil, 0
			w.passing, w.asked = false, 0
		}
		if err := w.take(message); err != nil {
			return never, err
		}
		if end := message.GetEnd(); end != nil {
			return w.ended(ctx, end.GetIncomplete()), nil
		}
	}
}

// broken is the verdict on the error of a stream.
func (w *walk[M]) broken(ctx context.Context, err error) (verdict, error) {
	switch {
	case errors.Is(context.Cause(ctx), errCut):
		return later, context.Cause(ctx)
	case errors.Is(err, io.EOF):
		return later, errCut
	case passes(err):
		return later, err
	default:
		return never, err
	}
}

// take takes a message. It returns errLeft when the loop was left.
func (w *walk[M]) take(message M) error {
	switch {
	case message.GetProgress() != nil:
		progress := message.GetProgress()
		w.onProgress(progress)
		if progress.GetResumeToken() == "" {
			return nil
		}
		return w.release(progress.GetResumeToken(), progress.GetRepeats())
	case message.GetFailure() != nil:
		w.onFailure(message.GetFailure())
		w.failed(message.GetFailure())
		return nil
	case message.GetEnd() != nil:
		incomplete := message.GetEnd().GetIncomplete()
		return w.release(incomplete.GetResumeToken(), incomplete.GetRepeats())
	default:
		w.held = append(w.held, message)
		if len(w.held) <= MaxHeld {
			return nil
		}
		w.passed = true
		return w.pass()
	}
}

// failed takes note of a read that failed.
func (w *walk[M]) failed(failure *inventoryv1.Failure) {
	if len(w.left.Failures) < MaxFailures {
		w.left.Failures = append(w.left.Failures, failure)
	} else {
		w.left.MoreFailures++
	}
	if readPasses(failure) {
		w.passing, w.asked = true, max(w.asked, failure.GetRetryDelay().AsDuration())
	}
}

// release passes on the pages ahead of a token.
func (w *walk[M]) release(token string, repeats bool) error {
	w.left.ResumeToken = token
	w.left.Repeats, w.passed = w.left.Repeats || repeats, false
	return w.pass()
}

// pass passes on the pages that are held. A page that the loop has is not held any more.
func (w *walk[M]) pass() error {
	held := w.held
	w.held = nil
	for _, page := range held {
		w.came++
		if !w.yield(page, nil) {
			return errLeft
		}
	}
	return nil
}

// ended is the verdict on the end of a stream.
func (w *walk[M]) ended(ctx context.Context, incomplete *inventoryv1.Incomplete) verdict {
	if incomplete == nil {
		return complete
	}
	w.left.Reasons = incomplete.GetReasons()
	has := func(reason inventoryv1.Incomplete_Reason) bool { return slices.Contains(w.left.Reasons, reason) }
	deadline, limited := ctx.Deadline()
	switch {
	case incomplete.GetResumeToken() == "":
		return never
	case has(inventoryv1.Incomplete_REASON_OUT_OF_TIME) && limited && time.Until(deadline) < ownTime:
		return never // It was the caller's time.
	case has(inventoryv1.Incomplete_REASON_DRAINING), w.passing:
		return later
	case has(inventoryv1.Incomplete_REASON_TOO_MANY), has(inventoryv1.Incomplete_REASON_OUT_OF_TIME):
		return atOnce
	default:
		return never
	}
}

// ownTime is the time before the caller's deadline in which a gateway ends a stream, and
// some more.
const ownTime = 10 * time.Second
