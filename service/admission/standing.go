package admission

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/internal/lazyctx"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const (
	// lastWord is how long a message may still take that was being sent to a slow
	// client when its credential was taken away.
	lastWord = time.Second
	// soonest is the least time between two looks at a credential because of its end:
	// clocks are not exact.
	soonest = 10 * time.Millisecond
)

// hold is what a call holds because of its credential: it ends with that. Its call owns
// it. Nothing runs for it while the policy stays and the credential does not end.
type hold struct {
	controller *Controller
	identity   authn.Identity
	connection door.Connection
	// call is the context of the call that ends with the hold.
	call lazyctx.Context
	// latest is when the call ends at the latest; zero: it is not known.
	latest time.Time

	// on is the list that the hold is on, and place where.
	on    *holdList
	place *list.Element

	mu    sync.Mutex
	over  bool  // the call is
	gone  error // the credential does not stand any more
	timer *time.Timer
}

// serve serves a call for as long as its credential stands. The principal's context
// ends with it, and that ends every wait of the call.
func (c *Controller) serve(p *principal, connection door.Connection, next connect.ServerFunc, spec connect.Spec, stream connect.ServerStream) error {
	h := &hold{controller: c, identity: p.identity, connection: connection}
	h.call.Begin(p.Context, time.Time{})
	defer h.call.End(nil)
	h.latest, _ = h.call.Deadline()
	p.beyond, p.Context, p.hold = p.Context, &h.call, h
	c.holds.add(h)
	defer h.release()
	h.watch(p.rules)
	streams := spec.StreamType != connect.StreamTypeUnary
	if streams {
		stream = door.Bind(p, stream)
	}
	return h.verdict(next(p, spec, stream), streams, &accounting.From(p).Upstream)
}

// watch looks at the credential again when the policy is replaced, and at its end. The
// hold is on its list, so that a policy that was replaced before is not missed.
func (h *hold) watch(rules *callers.Set) {
	if expires := h.identity.Expires; !expires.IsZero() && (h.latest.IsZero() || expires.Before(h.latest)) {
		h.mu.Lock()
		h.timer = time.AfterFunc(max(time.Until(expires), soonest), h.look)
		h.mu.Unlock()
	}
	if rules.InForce().Err() != nil {
		h.look()
		return
	}
	h.controller.holds.follow(rules)
}

// look looks at the credential, and ends the call or watches on.
func (h *hold) look() {
	for h.lookOnce() {
		// The policy was replaced once more.
	}
}

// lookOnce returns whether another look is due at once.
func (h *hold) lookOnce() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over || h.gone != nil {
		return false
	}
	rules := h.controller.callers.Current()
	if h.stands(rules) != nil {
		return false
	}
	if h.timer != nil {
		h.timer.Reset(max(time.Until(h.identity.Expires), soonest))
	}
	h.controller.holds.follow(rules)
	return rules.InForce().Err() != nil
}

// check fails when the credential does not stand by rules, and ends the call.
func (h *hold) check(rules *callers.Set) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stands(rules)
}

// stands is check, with the lock held.
func (h *hold) stands(rules *callers.Set) error {
	if h.gone != nil {
		return h.gone
	}
	err := h.controller.authenticator.Stands(rules.Table, h.identity)
	if err == nil {
		return nil
	}
	h.controller.metrics.unauthenticated.WithLabelValues(string(authn.ReasonWithdrawn)).Inc()
	h.gone = unauthenticated(err)
	h.call.End(h.gone)
	if !h.over {
		h.connection.ExtendTo(time.Now().Add(lastWord))
	}
	return h.gone
}

// release ends the watch. Behind it the connection is that of another call.
func (h *hold) release() {
	h.on.remove(h)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	if h.timer != nil {
		h.timer.Stop()
	}
}

// verdict is the error of a call that ended with err. A write that was sent keeps its
// own: its caller, and the record, have to know what became of it.
func (h *hold) verdict(err error, streams bool, write *accounting.Upstream) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone == nil || !streams && (write.Done || err != nil && !canceled(err)) {
		return err
	}
	return h.gone
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
