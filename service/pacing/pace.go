package pacing

import (
	"context"
	"errors"
	"maps"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Upstream sends requests to the Admin API within its budget.
type Upstream interface {
	// Admit returns when the request may be sent, or fails with an *upstream.Error
	// and has sent nothing. [upstream.Delivery.Send] returns a whole 2xx answer;
	// everything else is an *upstream.Error.
	Admit(ctx context.Context, endpoint *upstream.Endpoint, request *upstream.Request) (upstream.Delivery, error)
}

type deliveryKey struct{}

// Pace is the step that waits until the request may be sent. A write waits in the
// flow of its permit; a read waits in the flow that its context has, because a
// more urgent call can join the wait.
func Pace(up Upstream, tracer *observe.Tracer) pipeline.Decorator {
	return func(next pipeline.Invoker) pipeline.Invoker {
		return pipeline.Func(func(ctx context.Context, permit admission.Permit) (*pipeline.Response, error) {
			m := permit.Method()
			request, err := m.Endpoint.Request(permit.Request())
			if err != nil {
				return nil, err
			}
			if !m.Read {
				ctx = pace.WithFlow(ctx, permit.Flow())
			}
			waiting, span := tracer.Timed(ctx, observe.StagePace)
			delivery, err := up.Admit(waiting, m.Endpoint, request)
			span.End(err)
			if err != nil {
				return nil, err
			}
			once := &once{delivery: delivery}
			defer once.abandon()
			return next.Invoke(context.WithValue(ctx, deliveryKey{}, once), permit)
		})
	}
}

// once is a delivery that is sent at most once. It belongs to one goroutine.
type once struct {
	delivery upstream.Delivery
	sent     bool
}

func (o *once) send(waiting, sending context.Context) (*upstream.Reply, error) {
	if o.sent {
		return nil, errSentTwice
	}
	o.sent = true
	return o.delivery.Send(waiting, sending)
}

// sendAs sends a read or a write. A write that is being sent does not end with the
// credential of its caller; one that is not yet, or that would be sent again, does. A
// write of the gateway's own ends with its context alone.
func (o *once) sendAs(ctx context.Context, permit admission.Permit) (*upstream.Reply, error) {
	if permit.Method().Read {
		return o.send(ctx, ctx)
	}
	sending, end := admission.Sending(ctx, permit)
	defer end()
	reply, err := o.send(ctx, sending)
	account(ctx, reply, err)
	return reply, err
}

// abandon gives up a delivery that a step between the two did not let through.
func (o *once) abandon() {
	if !o.sent {
		o.delivery.Abandon()
	}
}

var (
	errSentTwice   = errors.New("pacing: a request would be sent twice")
	errNotAdmitted = errors.New("pacing: a request was not admitted")
)

// Send is the last step: it sends the request that [Pace] admitted, and decodes the
// answer.
func Send(tracer *observe.Tracer) pipeline.Invoker {
	return pipeline.Func(func(ctx context.Context, permit admission.Permit) (response *pipeline.Response, err error) {
		ctx, span := tracer.Timed(ctx, observe.StageSend)
		defer func() { span.End(err) }()
		admitted, ok := ctx.Value(deliveryKey{}).(*once)
		if !ok {
			return nil, errNotAdmitted
		}
		m := permit.Method()
		reply, err := admitted.sendAs(ctx, permit)
		if err != nil {
			return nil, repeated(permit, err)
		}
		answer, err := m.Endpoint.Decode(reply.Body)
		if bad, ok := errors.AsType[*upstream.Error](err); ok {
			bad.Status, bad.RequestID = reply.Status, reply.RequestID
			err = repeated(permit, err)
		}
		if answer.JSON == nil {
			return nil, err
		}
		return pipeline.NewResponse(permit, pipeline.Answer{Wire: answer.Wire, JSON: answer.JSON, Omitted: answer.Omitted, Untyped: err}, reply.RequestID), nil
	})
}

// account records the outcome of a write, on the goroutine of its call. A read may
// be made by another, for several calls.
func account(ctx context.Context, reply *upstream.Reply, err error) {
	done := &accounting.From(ctx).Upstream
	if err == nil {
		done.RequestID, done.Done = reply.RequestID, true
		return
	}
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		done.RequestID, done.Done = e.RequestID, e.Kind == upstream.OutcomeUnknown
	}
}

// repeated says of a write that may have been made, and whose effect counts from its
// own moment, that the same request would have another effect.
func repeated(permit admission.Permit, err error) error {
	field := permit.Method().Restarts(permit.Request())
	failure, ok := errors.AsType[*upstream.Error](err)
	if field == "" || !ok || failure.Kind != upstream.OutcomeUnknown {
		return err
	}
	said := *rpcerror.ToCaller(err)
	said.Message += "; made again, it would count " + field + " from then on"
	said.Metadata = maps.Clone(said.Metadata)
	if said.Metadata == nil {
		said.Metadata = make(map[string]string, 1)
	}
	said.Metadata["restarts"] = field
	return &said
}
