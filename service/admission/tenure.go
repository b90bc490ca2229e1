package admission

import (
	"context"
	"errors"
	"sync"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/internal/lazyctx"
	"github.com/admin-gateway/admin-gateway/internal/linked"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const (
	// lastWord is how long a message may still take that was being sent to a slow
	// client when its call had to end.
	lastWord = time.Second
	// soonest is the least time between two looks at a credential because of its end:
	// clocks are not exact.
	soonest = 10 * time.Millisecond
)

// tenure is the time for which a call may go on: it ends with the credential of its
// caller, and when that is held. Its call owns it. Nothing runs for it while the policy
// and the holds stay and the credential does not end.
type tenure struct {
	controller *Controller
	identity   authn.Identity
	connection door.Connection
	// call is the context of the call that ends with it.
	call lazyctx.Context
	// latest is when the call ends at the latest; zero: it is not known.
	latest time.Time

	// on is the list that it is on, and place where.
	on    *tenureList
	place linked.Link[tenure]

	mu    sync.Mutex
	over  bool  // the call is
	gone  error // why the call may not go on; nil while it may
	timer *time.Timer
}

// authenticated is a principal with the tenure of its call, in one allocation.
type authenticated struct {
	principal
	tenure tenure
}

// serve serves a call for as long as its credential stands. The principal's context
// ends with it, and that ends every wait of the call.
func (c *Controller) serve(a *authenticated, connection door.Connection, next connect.ServerFunc, spec connect.Spec, stream connect.ServerStream) error {
	p, t := &a.principal, &a.tenure
	t.controller, t.identity, t.connection = c, p.identity, connection
	t.call.Begin(p.Context, time.Time{})
	defer t.call.End(nil)
	t.latest, _ = t.call.Deadline()
	p.beyond, p.Context, p.tenure = p.Context, &t.call, t
	c.tenures.add(t)
	defer t.release()
	t.watch(p.rules)
	// On the list, so that a hold that comes now is not missed.
	if c.isHeld(p.identity.Caller) {
		return c.refuseHeld(p)
	}
	streams := spec.StreamType != connect.StreamTypeUnary
	if streams {
		stream = door.Bind(p, stream)
	}
	return t.verdict(next(p, spec, stream), streams, &accounting.From(p).Upstream)
}

// watch looks at the credential again when the policy is replaced, and at its end. The
// tenure is on its list, so that a policy that was replaced before is not missed.
func (t *tenure) watch(rules *callers.Set) {
	if expires := t.identity.Expires; !expires.IsZero() && (t.latest.IsZero() || expires.Before(t.latest)) {
		t.mu.Lock()
		t.timer = time.AfterFunc(max(time.Until(expires), soonest), t.look)
		t.mu.Unlock()
	}
	if rules.InForce().Err() != nil {
		t.look()
		return
	}
	t.controller.tenures.follow(rules)
}

// look looks at the credential and whether the caller is held, and ends the call or
// watches on.
func (t *tenure) look() {
	for t.lookOnce() {
		// The policy was replaced once more.
	}
}

// lookOnce returns whether another look is due at once.
func (t *tenure) lookOnce() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || t.gone != nil {
		return false
	}
	rules := t.controller.callers.Current()
	if t.stands(rules) != nil {
		return false
	}
	if t.timer != nil {
		t.timer.Reset(max(time.Until(t.identity.Expires), soonest))
	}
	t.controller.tenures.follow(rules)
	return rules.InForce().Err() != nil
}

// check fails when the credential does not stand by rules or the caller is held, and ends
// the call.
func (t *tenure) check(rules *callers.Set) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stands(rules)
}

// stands is check, with the lock held.
func (t *tenure) stands(rules *callers.Set) error {
	if t.gone != nil {
		return t.gone
	}
	err := t.controller.authenticator.Stands(rules.Table, t.identity)
	switch {
	case err != nil:
		t.controller.metrics.unauthenticated.WithLabelValues(string(authn.ReasonWithdrawn)).Inc()
		t.gone = unauthenticated(err)
	case t.controller.isHeld(t.identity.Caller):
		t.controller.metrics.denied.WithLabelValues(reasonHeld).Inc()
		t.gone = rpcerror.OfHold(rpcerror.ReasonCallerHeld, nil)
	default:
		return nil
	}
	t.call.End(t.gone)
	if !t.over {
		t.connection.ExtendTo(time.Now().Add(lastWord))
	}
	return t.gone
}

// release ends the watch. Behind it the connection is that of another call.
func (t *tenure) release() {
	t.on.remove(t)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	if t.timer != nil {
		t.timer.Stop()
	}
}

// verdict is the error of a call that ended with err. A write that was sent keeps its
// own: its caller, and the record, have to know what became of it.
func (t *tenure) verdict(err error, streams bool, write *accounting.Upstream) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone == nil || !streams && (write.Done || err != nil && !canceled(err)) {
		return err
	}
	return t.gone
}

// canceled returns whether a call ended because its context did, with nothing done.
func canceled(err error) bool { return rpcerror.ToCaller(err).Code == connect.CodeCanceled }

// Sending returns a context for a write that is about to be sent. It ends with the
// caller and with the deadline of the call, and not with the caller's credential: to cut
// off what was sent would only hide whether it was done. A write of the gateway's own
// has no caller to end with: its context is ctx.
func Sending(ctx context.Context, permit Permit) (context.Context, context.CancelFunc) {
	p, err := principalOf(ctx)
	if err != nil || permit.errand != nil {
		return ctx, func() {}
	}
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := cancel
	if deadline, ok := ctx.Deadline(); ok {
		var end context.CancelFunc
		sending, end = context.WithDeadline(sending, deadline)
		release = func() { end(); cancel() }
	}
	stop := context.AfterFunc(p.beyond, func() {
		if !errors.Is(p.beyond.Err(), context.DeadlineExceeded) { // That is its own, too.
			cancel()
		}
	})
	return sending, func() { stop(); release() }
}

// unauthenticated is the error of a call without a valid credential, whatever the
// reason.
func unauthenticated(cause error) error {
	return &rpcerror.Error{
		Code: connect.CodeUnauthenticated, Reason: rpcerror.ReasonUnauthenticated,
		Message: "no valid credential came with the call", Cause: cause,
	}
}
