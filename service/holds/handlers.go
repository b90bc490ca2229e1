package holds

import (
	"context"
	"time"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/overrides"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Handlers answer the RPCs of HoldService. review looks again at all calls under way: it is
// called whenever the holds have changed. Handlers comes before [Holds.Run].
func (h *Holds) Handlers(review func()) pipeline.Handlers {
	if h == nil {
		refuse := func(context.Context, admission.Permit, pipeline.Sender) error {
			return rpcerror.OfHold(rpcerror.ReasonHoldsDisabled, nil)
		}
		return pipeline.Handlers{
			controlv1connect.HoldServiceCreateHoldProcedure:  refuse,
			controlv1connect.HoldServiceListHoldsProcedure:   refuse,
			controlv1connect.HoldServiceReleaseHoldProcedure: refuse,
		}
	}
	h.kept.OnChange(review)
	return pipeline.Handlers{
		controlv1connect.HoldServiceCreateHoldProcedure:  pipeline.Unary(h.create),
		controlv1connect.HoldServiceListHoldsProcedure:   pipeline.Unary(h.list),
		controlv1connect.HoldServiceReleaseHoldProcedure: pipeline.Unary(h.release),
	}
}

func (h *Holds) create(ctx context.Context, permit admission.Permit, q *controlv1.CreateHoldRequest) (*controlv1.CreateHoldResponse, error) {
	switch {
	case q.GetCaller() == permit.Caller():
		return nil, rpcerror.InvalidField("caller", "is the caller of this call: nobody can hold itself", nil)
	case !h.callers.Current().Has(q.GetCaller()):
		return nil, rpcerror.OfHold(rpcerror.ReasonCallerNotFound, nil)
	}
	made := Hold{overrides.Override{Caller: q.GetCaller(), By: permit.Caller(), At: time.Now(), Reason: q.GetReason()}}
	if life := q.GetLifetime().AsDuration(); life > 0 {
		made.Until = made.At.Add(life)
	}
	if err := h.kept.Put(ctx, made); err != nil {
		return nil, toCaller(err)
	}
	return &controlv1.CreateHoldResponse{Hold: messageOf(made)}, nil
}

func (h *Holds) list(_ context.Context, _ admission.Permit, _ *controlv1.ListHoldsRequest) (*controlv1.ListHoldsResponse, error) {
	answer := &controlv1.ListHoldsResponse{ReadAt: overrides.Instant(h.ReadAt())}
	for _, held := range h.kept.All() {
		answer.Holds = append(answer.Holds, messageOf(held))
	}
	return answer, nil
}

func (h *Holds) release(ctx context.Context, _ admission.Permit, q *controlv1.ReleaseHoldRequest) (*controlv1.ReleaseHoldResponse, error) {
	released, err := h.kept.Remove(ctx, q.GetCaller())
	if err != nil {
		return nil, toCaller(err)
	}
	return &controlv1.ReleaseHoldResponse{Hold: messageOf(released)}, nil
}

func messageOf(h Hold) *controlv1.Hold {
	return &controlv1.Hold{Caller: h.Caller, CreatedBy: h.By, CreatedAt: h.CreatedAt(), EndsAt: h.EndsAt(), Reason: h.Reason}
}

// toCaller is the error of a call.
func toCaller(err error) error {
	return overrides.ToCaller(err, overrides.Reasons{
		TooMany: rpcerror.ReasonHoldLimit, None: rpcerror.ReasonHoldNotFound, Unavailable: rpcerror.ReasonHoldsUnavailable,
	}, rpcerror.OfHold)
}
