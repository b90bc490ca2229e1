package service

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// FanOutOptions configure the RPCs that are made of many reads. The zero value
// is usable.
type FanOutOptions struct {
	// Concurrency is how many reads of one stream are under way at a time; 0
	// means [DefaultFanOutConcurrency].
	Concurrency int
	// Longest bounds a stream that is made of many reads; 0 means
	// [DefaultLongestStream]. Shortly before it is over, the stream ends with a
	// resume token.
	Longest time.Duration
	// MaxPages bounds each list; 0 means pages.DefaultMaxPages.
	MaxPages int
	// MaxOutermost bounds the items of the outermost list, such as projects, that
	// one stream goes through, because it holds their names: it ends with a resume
	// token after the page on which there are so many. 0 means
	// [DefaultMaxOutermost].
	MaxOutermost int
	// Ending is asked at the start of a stream for what is closed when the stream
	// is to end, as when the gateway stops: it then ends with a resume token. Nil
	// is never.
	Ending func() <-chan struct{}
	// Now is the clock by which what is asked for is old, such as a key; nil:
	// time.Now.
	Now func() time.Time
}

const (
	// DefaultFanOutConcurrency is how many reads of one stream are under way at a
	// time.
	DefaultFanOutConcurrency = 8
	// DefaultLongestStream bounds a stream that is made of many reads.
	DefaultLongestStream = 6 * time.Hour
	// DefaultMaxOutermost is how many items of the outermost list one stream goes
	// through.
	DefaultMaxOutermost = 100_000
)

func (o *FanOutOptions) applyDefaults() {
	if o.Concurrency <= 0 {
		o.Concurrency = DefaultFanOutConcurrency
	}
	if o.Longest <= 0 {
		o.Longest = DefaultLongestStream
	}
	if o.MaxPages <= 0 {
		o.MaxPages = pages.DefaultMaxPages
	}
	if o.MaxOutermost <= 0 {
		o.MaxOutermost = DefaultMaxOutermost
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// below counts the reads that a call has made below it.
type below struct{ calls, refused atomic.Int64 }

// underneath is the context of calls below a call. They are no answers to the
// caller themselves, so that nothing they do may reach its headers.
type underneath struct{ context.Context }

// Value hides the headers of the call above.
func (u underneath) Value(key any) any {
	value := u.Context.Value(key)
	if _, ok := value.(*connect.CallInfo); ok {
		return nil
	}
	return value
}

// readBelow makes a read on behalf of a caller whose call is made of many. It
// goes the whole road behind the door: validated, decided on its own by the
// policy that is in force at the moment, cached. The call over it keeps count,
// and has the one record.
func (r *road) readBelow(ctx context.Context, over *call, wished wish, m *Method, request protoreflect.Message) (*answer, error) {
	if err := r.validator.Validate(request.Interface()); err != nil {
		return nil, err
	}
	c := &call{
		id: over.id, traceID: over.traceID, start: time.Now(), procedure: m.Procedure,
		rules: r.callers.Current(), identity: over.identity, handle: m.access, method: m, part: true,
	}
	p, err := r.authorize(ctx, c, request)
	if err != nil {
		over.below.refused.Add(1)
		return nil, err
	}
	if wished.limited && m.refresh != nil {
		p.wish = wished
		p.wish.ignored = !c.rules.Policy.Decide(c.identity.Caller, m.refresh, request).Allowed
	}
	over.below.calls.Add(1)
	a, err := r.answer(ctx, p)
	if _, waits := notSentYet(err); waits {
		over.below.calls.Add(-1)
	}
	return a, err
}

// notSentYet tells for how long to wait with a read that was not sent, because
// the budget has no call for it within the time that one read may take. A stream
// has more time than that.
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

// recovered makes an error of a panic, if there is one to recover, and tells the
// log. It has to be deferred itself.
func (r *road) recovered(ctx context.Context, c *call, err *error) {
	if value := recover(); value != nil {
		r.logger.ErrorContext(ctx, "panic", "request_id", c.id, "method", c.procedure, "stack", string(debug.Stack()))
		*err = fmt.Errorf("panic: %T", value)
	}
}

// refuse ends a call over others, because of one that its caller may not make.
func (r *road) refuse(over *call) error {
	over.outcome = audit.DecisionDenied
	return r.denied(over)
}
