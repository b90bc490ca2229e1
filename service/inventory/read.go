package inventory

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// fetch makes a read as soon as there is budget for it. Next is the cursor of the
// page that follows in its list, "" for none.
func (w *walker) fetch(ctx context.Context, r *read, request protoreflect.Message, trail *pages.Trail) (got answer, next string, err error) {
	response, err := w.readWhenAdmitted(ctx, r.method, request)
	if err != nil {
		return answer{}, "", err
	}
	if got, err = r.answer(response); err != nil {
		return answer{}, "", err
	}
	if r.list == nil {
		return got, "", nil
	}
	if next, err = trail.Next(got.message); err != nil {
		return answer{}, "", err
	}
	if len(next) > maxCursor {
		return answer{}, "", uselessPage()
	}
	return got, next, nil
}

// readWhenAdmitted makes a read as soon as there is budget for it: a stream waits for
// longer than a call may.
func (w *walker) readWhenAdmitted(ctx context.Context, m *catalog.Method, request protoreflect.Message) (*pipeline.Response, error) {
	for {
		response, err := w.read(ctx, m, request)
		wait, waits := notSentYet(err)
		if !waits {
			return response, err
		}
		began, timer := time.Now(), time.NewTimer(wait)
		select {
		case <-timer.C:
			accounting.From(ctx).Waits.Shared(time.Since(began))
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// read makes a read on behalf of the caller, through the whole pipeline: validated,
// decided on its own by the policy that is in force at the moment, cached. The call
// has the one record, and counts its reads.
func (w *walker) read(ctx context.Context, m *catalog.Method, request protoreflect.Message) (*pipeline.Response, error) {
	whole := accounting.From(ctx)
	ctx, part := accounting.Part(ctx)
	permit, err := w.Admission.Authorize(ctx, m, request)
	if err != nil {
		if part.Admission.Request != nil { // It was decided on, and denied.
			whole.Reads.Refused.Add(1)
		}
		return nil, err
	}
	whole.Reads.Made.Add(1)
	response, err := w.Invoker.Invoke(ctx, permit)
	whole.Waits.Include(&part.Waits)
	if _, waits := notSentYet(err); waits {
		whole.Reads.Made.Add(-1)
	}
	return response, err
}

// notSentYet returns how long to wait with a read that was not sent, because
// the budget has no call for it within the time that one read may take.
func notSentYet(err error) (wait time.Duration, ok bool) {
	e, ok := errors.AsType[*upstream.Error](err)
	if !ok || e.Reason != upstream.ReasonNoBudget {
		return 0, false
	}
	return max(e.RetryAfter, shortestWait), true
}

// shortestWait is how long to wait at the least before a read is tried again that
// was not sent.
const shortestWait = 100 * time.Millisecond
